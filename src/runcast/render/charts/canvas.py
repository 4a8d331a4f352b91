"""What every chart is drawn on: a white sheet with a title, axes, ticks and a legend."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from functools import cache

INK, SOFT, GRID = "#1f2933", "#52606d", "#e4e7eb"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b4c9a", "#7f7f7f")
"""Okabe and Ito's colours, which people with any colour vision can tell apart; then two more."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_LONGEST_TITLE = 70


@cache
def _illegal() -> re.Pattern[str]:
    """What XML 1.0 has no place for; compiling so large a set takes 10 ms, and few runs have charts."""
    return re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: object, longest: int = 200) -> str:
    """Any text as XML text, cut to a length in characters."""
    plain = _illegal().sub("\ufffd", str(text))
    return html.escape(plain if len(plain) <= longest else plain[: longest - 1] + "…", quote=True)


def number(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends: 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / most
    if not (math.isfinite(raw) and raw > 0):
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    size = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / size - 1e-9)
    found = [round((first + i) * size, 12) for i in range(most + 2)]
    return [tick for tick in found if low - size * 1e-9 <= tick <= high + size * 1e-9]


def style(index: int) -> tuple[str, str]:
    """(colour, dashes) of the curve with this number: no two alike among the first 32."""
    return COLORS[index % len(COLORS)], _DASHES[index // len(COLORS) % len(_DASHES)]


class Canvas:
    """An SVG that is being drawn.

    Args:
        title: stands above the plot.
        width, height: of the whole sheet, in pixels.
        margins: left, top, right, bottom of the plot.
    """

    def __init__(
        self, title: str, width: float, height: float, margins: tuple[float, float, float, float]
    ) -> None:
        left, top, right, bottom = margins
        self.left, self.top, self.right, self.bottom = left, top, width - right, height - bottom
        size = f"{number(width)} {number(height)}"
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{number(width)}" '
            f'height="{number(height)}" role="img" font-family="system-ui, -apple-system, Segoe UI, '
            f'Helvetica, Arial, sans-serif" font-size="12" fill="{INK}">',
            f"<title>{escape(title)}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
        ]
        self.text(left, 24, title, size=15, weight=600, longest=_LONGEST_TITLE)

    def text(
        self,
        x: float,
        y: float,
        text: object,
        *,
        anchor: str = "start",
        size: float = 12,
        fill: str = INK,
        weight: int = 400,
        turn: float = 0,
        longest: int = 200,
    ) -> None:
        """One line of text; `turn` in degrees about its anchor."""
        rotate = f' transform="rotate({number(turn)} {number(x)} {number(y)})"' if turn else ""
        bold = f' font-weight="{weight}"' if weight != 400 else ""
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" font-size="{number(size)}" '
            f'fill="{fill}"{bold}{rotate}>{escape(text, longest)}</text>'
        )

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        stroke: str = GRID,
        width: float = 1,
        dashes: str = "",
    ) -> None:
        """A straight line."""
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(
            f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" '
            f'stroke="{stroke}" stroke-width="{number(width)}"{dash}/>'
        )

    def rect(self, x: float, y: float, width: float, height: float, fill: str, tip: str = "") -> None:
        """A filled rectangle; `tip` appears under the pointer."""
        inside = f"><title>{escape(tip)}</title></rect>" if tip else "/>"
        self.parts.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" '
            f'fill="{fill}"{inside}'
        )

    def axis_labels(self, x: str, y: str) -> None:
        """Names of the two axes."""
        self.text((self.left + self.right) / 2, self.bottom + 40, x, anchor="middle", fill=SOFT)
        self.text(self.left - 44, (self.top + self.bottom) / 2, y, anchor="middle", fill=SOFT, turn=-90)

    def legend(self, entries: Sequence[tuple[str, str, str]], x: float, y: float, most: int = 16) -> None:
        """(label, colour, dashes) below each other, on white; beyond `most` only their number."""
        shown = list(entries[:most])
        rows = len(shown) + (len(entries) > most)
        longest = max((min(len(label), 34) for label, _, _ in shown), default=0)
        wide = 36 + 6.6 * longest
        self.parts.append(
            f'<rect x="{number(x - wide)}" y="{number(y - 16 * rows - 6)}" width="{number(wide)}" '
            f'height="{number(16 * rows + 8)}" rx="3" fill="#ffffff" fill-opacity="0.85" stroke="{GRID}"/>'
        )
        for row, (label, color, dashes) in enumerate(shown):
            line = y - 16 * (rows - row) + 10
            self.line(x - wide + 6, line - 4, x - wide + 26, line - 4, color, 2, dashes)
            self.text(x - wide + 32, line, label, size=11, longest=34)
        if len(entries) > most:
            self.text(x - wide + 32, y - 6, f"and {len(entries) - most} more", size=11, fill=SOFT)

    def finish(self) -> str:
        """The file."""
        return "\n".join([*self.parts, "</svg>"]) + "\n"

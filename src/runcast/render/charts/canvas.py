"""What every chart is drawn on: a white sheet with a title, axes, ticks and a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

INK, SOFT, GRID = "#1f2933", "#52606d", "#e4e7eb"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b4c9a", "#7f7f7f")
"""Okabe and Ito's colours, which people with any colour vision can tell apart; then two more."""
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_LONGEST_TITLE = 70


class Text(NamedTuple):
    """One line of text; `turn` in degrees about its anchor, clockwise."""

    x: float
    y: float
    text: str
    anchor: str
    size: float
    fill: str
    bold: bool
    turn: float


class Line(NamedTuple):
    """Points joined by straight lines; `dashes` as in SVG."""

    points: Sequence[tuple[float, float]]
    stroke: str
    width: float
    dashes: str


class Rect(NamedTuple):
    """A filled rectangle; `tip` appears under the pointer where that can be."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    tip: str
    stroke: str


class Dot(NamedTuple):
    """A filled circle."""

    x: float
    y: float
    radius: float
    fill: str
    tip: str


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


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
    """A sheet that is being drawn; `runcast.render.charts` makes SVG or PNG of it.

    Args:
        title: stands above the plot.
        width, height: of the whole sheet, in pixels.
        margins: left, top, right, bottom of the plot.

    Attributes:
        shapes: from the back to the front.
    """

    def __init__(
        self, title: str, width: float, height: float, margins: tuple[float, float, float, float]
    ) -> None:
        left, top, right, bottom = margins
        self.title, self.width, self.height = title, width, height
        self.left, self.top, self.right, self.bottom = left, top, width - right, height - bottom
        self.shapes: list[Text | Line | Rect | Dot] = []
        self.text(left, 24, title, size=15, bold=True, longest=_LONGEST_TITLE)

    def text(
        self,
        x: float,
        y: float,
        text: object,
        *,
        anchor: str = "start",
        size: float = 12,
        fill: str = INK,
        bold: bool = False,
        turn: float = 0,
        longest: int = 200,
    ) -> None:
        """One line of text, cut to a length in characters."""
        self.shapes.append(Text(x, y, cut(str(text), longest), anchor, size, fill, bold, turn))

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
        self.shapes.append(Line([(x1, y1), (x2, y2)], stroke, width, dashes))

    def curve(self, points: Sequence[tuple[float, float]], stroke: str, dashes: str) -> None:
        """Several points joined."""
        self.shapes.append(Line(points, stroke, 2, dashes))

    def rect(
        self, x: float, y: float, width: float, height: float, fill: str, tip: str = "", stroke: str = ""
    ) -> None:
        """A filled rectangle."""
        self.shapes.append(Rect(x, y, width, height, fill, tip, stroke))

    def dot(self, x: float, y: float, fill: str, tip: str) -> None:
        """A point of the data."""
        self.shapes.append(Dot(x, y, 4, fill, tip))

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
        self.rect(x - wide, y - 16 * rows - 6, wide, 16 * rows + 8, "#ffffff", stroke=GRID)
        for row, (label, color, dashes) in enumerate(shown):
            line = y - 16 * (rows - row) + 10
            self.line(x - wide + 6, line - 4, x - wide + 26, line - 4, color, 2, dashes)
            self.text(x - wide + 32, line, label, size=11, longest=34)
        if len(entries) > most:
            self.text(x - wide + 32, y - 6, f"and {len(entries) - most} more", size=11, fill=SOFT)

"""A canvas as a self-contained SVG: no script, no font but the reader's own."""

from __future__ import annotations

import html
import re
from functools import cache

from runcast.render.charts.canvas import INK, Canvas, Dot, Line, Rect, Text, cut

_LONGEST_TIP = 200


@cache
def _illegal() -> re.Pattern[str]:
    """What XML 1.0 has no place for; compiling so large a set takes 10 ms, and few runs have charts."""
    return re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(canvas: Canvas) -> str:
    """The file."""
    wide, tall = _number(canvas.width), _number(canvas.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" '
        f'height="{tall}" role="img" font-family="system-ui, -apple-system, Segoe UI, '
        f'Helvetica, Arial, sans-serif" font-size="12" fill="{INK}">'
    )
    sheet = '<rect width="100%" height="100%" fill="#ffffff"/>'
    parts = [head, f"<title>{_escape(canvas.title)}</title>", sheet, *map(_shape, canvas.shapes), "</svg>"]
    return "\n".join(parts) + "\n"


def _shape(shape: Text | Line | Rect | Dot) -> str:
    if isinstance(shape, Text):
        return _text(shape)
    if isinstance(shape, Line):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        dash = f' stroke-dasharray="{shape.dashes}"' if shape.dashes else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{shape.stroke}" '
            f'stroke-width="{_number(shape.width)}" stroke-linejoin="round"{dash}/>'
        )
    if isinstance(shape, Rect):
        edge = f' rx="3" fill-opacity="0.85" stroke="{shape.stroke}"' if shape.stroke else ""
        return (
            f'<rect x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" '
            f'height="{_number(shape.height)}" fill="{shape.fill}"{edge}{_tip(shape.tip, "rect")}'
        )
    return (
        f'<circle cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}" '
        f'fill="{shape.fill}"{_tip(shape.tip, "circle")}'
    )


def _text(shape: Text) -> str:
    x, y = _number(shape.x), _number(shape.y)
    rotate = f' transform="rotate({_number(shape.turn)} {x} {y})"' if shape.turn else ""
    bold = ' font-weight="600"' if shape.bold else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{shape.anchor}" font-size="{_number(shape.size)}" '
        f'fill="{shape.fill}"{bold}{rotate}>{_escape(shape.text)}</text>'
    )


def _tip(text: str, element: str) -> str:
    return f"><title>{_escape(cut(text, _LONGEST_TIP))}</title></{element}>" if text else "/>"


def _escape(text: str) -> str:
    return html.escape(_illegal().sub("\ufffd", cut(text, _LONGEST_TIP)), quote=True)


def _number(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")

"""One chart as inline SVG: lines over steps, axes, and a tooltip on each point; no script."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence

from runcast.catalog.curves import Curve
from runcast.catalog.plot import Span, extent, fraction
from runcast.catalog.texts import number, visible

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 40
_TOOLTIPS = 150  # per curve


def escape(text: str) -> str:
    """Text that is nothing but text in HTML, whatever it holds."""
    return html.escape(visible(text), quote=True)


def chart(title: str, curves: Sequence[tuple[str, int, Curve]]) -> str:
    """The chart of one metric.

    Args:
        title: the metric, for readers of the screen.
        curves: label, number of its colour, points.
    """
    span = extent([curve for _, _, curve in curves])
    if span is None:
        return '<p class="none">no finite values</p>'
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} over steps">',
        *_axes(span),
    ]
    parts += [f'<path class="line c{color}" d="{_path(curve, span)}"/>' for _, color, curve in curves]
    for label, color, curve in curves:
        parts += _points(label, color, curve, span)
    return "\n".join([*parts, "</svg>"])


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends: 1, 2 or 5 times a power of ten apart."""
    raw = high / most - low / most
    if not raw > 0 or not math.isfinite(raw):
        return [low, high]
    power = 10.0 ** math.floor(math.log10(raw))
    size = next((power * m for m in (1, 2, 5) if power * m >= raw), power * 10) if power > 0 else raw
    if not math.isfinite(size) or size == 0 or low + size == low:
        return [low, high]
    first = math.ceil(low / size)
    found = [(first + i) * size for i in range(most + 2)]
    return [tick for tick in found if low <= tick <= high] or [low, high]


def _x(step: float, span: Span) -> float:
    return round(_LEFT + fraction(step, span.left, span.right) * (WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float, span: Span) -> float:
    return round(_TOP + fraction(value, span.high, span.low) * (HEIGHT - _TOP - _BOTTOM), 1)


def _axes(span: Span) -> Iterator[str]:
    bottom = HEIGHT - _BOTTOM
    for tick in ticks(span.low, span.high):
        y = _y(tick, span)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{tick:.5g}</text>'
    yield f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    yield f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{bottom}"/>'
    for tick in ticks(span.left, span.right):
        x = _x(tick, span)
        yield f'<text class="tick" x="{x}" y="{bottom + 16}" text-anchor="middle">{tick:.10g}</text>'
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield f'<text class="tick" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">step</text>'


def _path(curve: Curve, span: Span) -> str:
    commands = []
    pen = "M"
    for step, value in curve:
        if not math.isfinite(value):
            pen = "M"  # a gap
            continue
        commands.append(f"{pen}{_x(step, span)} {_y(value, span)}")
        pen = "L"
    return "".join(commands)


def _points(label: str, color: int, curve: Curve, span: Span) -> Iterator[str]:
    finite = [point for point in curve if math.isfinite(point[1])]
    every = max(math.ceil(len(finite) / _TOOLTIPS), 1)
    # A lone point makes no line, so its dot is always shown.
    shown = " lone" if len(finite) == 1 else ""
    for step, value in [*finite[::every], *finite[-1:]]:
        words = "&#10;".join([escape(label), f"step {step}", number(value)])
        place = f'cx="{_x(step, span)}" cy="{_y(value, span)}"'
        yield f'<circle class="dot c{color}{shown}" {place} r="4"><title>{words}</title></circle>'

"""A histogram as a picture for MLflow's viewer of artifacts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 40


def histogram(edges: Sequence[float], counts: Sequence[float], title: str) -> str:
    """An SVG with one bar a bin, as wide as the bin; bins without finite edges are left out.

    Args:
        edges: n+1 numbers, rising.
        counts: n numbers.
        title: stands above; any text.
    """
    bins = [
        (low, high, count)
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=False)
        if math.isfinite(low) and math.isfinite(high) and high > low and 0 < count < math.inf
    ]
    left, right = (bins[0][0], bins[-1][1]) if bins else (0.0, 1.0)
    top = max((count for _, _, count in bins), default=1)
    wide, tall = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    bars = []
    for low, high, count in bins:
        # Differences are taken of halves: that of two large doubles may be infinite.
        scale = wide / (right / 2 - left / 2)
        x, width = _MARGIN + (low / 2 - left / 2) * scale, (high / 2 - low / 2) * scale
        height = count / top * tall
        bars.append(
            f'<rect x="{x:.2f}" y="{_MARGIN + tall - height:.2f}" width="{max(width - 0.5, 0.5):.2f}" '
            f'height="{height:.2f}"><title>[{low:g}, {high:g}): {count:g}</title></rect>'
        )
    name = escape("".join(c if c.isprintable() else "�" for c in title[:200]))
    text = '<text font-family="sans-serif" font-size="12"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" fill="#4c78a8">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(bars)}'
        f'{text} x="{_MARGIN}" y="24" fill="black">{name}</text>'
        f'{text} x="{_MARGIN}" y="{_HEIGHT - 20}" fill="black">{left:g}</text>'
        f'{text} x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 20}" fill="black" text-anchor="end">{right:g}</text>'
        f'{text} x="{_WIDTH - _MARGIN}" y="24" fill="black" text-anchor="end">largest bin: {top:g}</text>'
        "</svg>\n"
    )

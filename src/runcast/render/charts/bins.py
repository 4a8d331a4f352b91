"""A histogram: one bar for each bin, as wide as the bin."""

from __future__ import annotations

import math

from runcast.records import Media
from runcast.render.charts.canvas import COLORS, INK, SOFT, Canvas, ticks

_WIDTH, _HEIGHT = 640, 340


def histogram(media: Media) -> Canvas:
    """Counts over values; bins without finite ends are left out."""
    edges, counts = media.data["edges"], media.data["counts"]
    bins = [
        (float(low), float(high), float(count))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if math.isfinite(low) and math.isfinite(high) and high > low and 0 < count < math.inf
    ]
    left, right = (bins[0][0], bins[-1][1]) if bins else (0.0, 1.0)
    most = max((count for _, _, count in bins), default=1.0)
    canvas = Canvas(media.caption or media.key, _WIDTH, _HEIGHT, (64, 44, 20, 40))

    def x(value: float) -> float:
        # Halves, because the difference of two large doubles may be infinite.
        share = (value / 2 - left / 2) / (right / 2 - left / 2)
        return canvas.left + min(1.0, max(0.0, share)) * (canvas.right - canvas.left)

    tall = canvas.bottom - canvas.top
    for tick in ticks(0.0, most, 5):
        y = canvas.bottom - tick / most * tall
        canvas.line(canvas.left, y, canvas.right, y)
        canvas.text(canvas.left - 8, y + 4, f"{tick:.4g}", anchor="end", fill=SOFT)
    for low, high, count in bins:
        wide, height = max(x(high) - x(low) - 0.5, 0.5), count / most * tall
        tip = f"[{low:g}, {high:g}): {count:g}"
        canvas.rect(x(low), canvas.bottom - height, wide, height, COLORS[0], tip)
    canvas.line(canvas.left, canvas.bottom, canvas.right, canvas.bottom, INK)
    for tick in ticks(left, right) if math.isfinite(right - left) else [left, right]:
        canvas.text(x(tick), canvas.bottom + 18, f"{tick:.4g}", anchor="middle", fill=SOFT)
    return canvas

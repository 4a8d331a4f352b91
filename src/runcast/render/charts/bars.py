"""Feature importance: horizontal bars, the largest on top."""

from __future__ import annotations

import math

from runcast.records import Media
from runcast.render.charts.canvas import COLORS, INK, SOFT, Canvas, ticks

_MOST = 30
_ROW = 22
_PLOT = 400


def feature_importance(media: Media) -> Canvas:
    """The first 30 features, with error bars where the errors are known."""
    names = [str(name) for name in media.data["names"]][:_MOST]
    values = [_finite(value) for value in media.data["values"]][:_MOST]
    errors = [abs(_finite(error)) for error in media.data.get("errors") or [0.0] * len(values)][:_MOST]
    if not len(names) == len(values) == len(errors) or not names:
        raise ValueError("names, values and errors differ in number, or there are none")
    left = 30 + 7.0 * max(min(len(name), 28) for name in names)
    height = 44 + _ROW * len(names) + 56
    canvas = Canvas(media.caption or media.key, left + _PLOT + 30, height, (left, 44, 30, 56))
    low = min(0.0, *(value - error for value, error in zip(values, errors, strict=True)))
    high = max(0.0, *(value + error for value, error in zip(values, errors, strict=True)))
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        low, high, span = 0.0, 1.0, 1.0

    def x(value: float) -> float:
        return canvas.left + min(1.0, max(0.0, (value - low) / span)) * (canvas.right - canvas.left)

    for tick in ticks(low, high):
        canvas.line(x(tick), canvas.top, x(tick), canvas.bottom)
        canvas.text(x(tick), canvas.bottom + 18, f"{tick:.4g}", anchor="middle", fill=SOFT)
    for row, (name, value, error) in enumerate(zip(names, values, errors, strict=True)):
        y = canvas.top + row * _ROW
        start, end = sorted((x(0.0), x(value)))
        canvas.rect(
            start, y + 3, end - start, _ROW - 6, COLORS[0 if value >= 0 else 1], f"{name}: {value:.5g}"
        )
        canvas.text(canvas.left - 8, y + _ROW / 2 + 4, name, anchor="end", fill=SOFT, longest=28)
        if error:
            canvas.line(x(value - error), y + _ROW / 2, x(value + error), y + _ROW / 2, INK, 1.5)
            for end in (value - error, value + error):
                canvas.line(x(end), y + _ROW / 2 - 4, x(end), y + _ROW / 2 + 4, INK, 1.5)
    canvas.line(x(0.0), canvas.top, x(0.0), canvas.bottom, INK)
    more = len(media.data["names"]) - len(names)
    label = f"Importance (the first {_MOST} of {_MOST + more})" if more else "Importance"
    canvas.text((canvas.left + canvas.right) / 2, canvas.bottom + 40, label, anchor="middle", fill=SOFT)
    return canvas


def _finite(value: float) -> float:
    number = float(value)
    return number if math.isfinite(number) else 0.0

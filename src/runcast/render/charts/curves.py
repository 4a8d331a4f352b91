"""Curves in the unit square: ROC, precision over recall, calibration."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from runcast.records import Media
from runcast.render.charts.canvas import COLORS, GRID, INK, SOFT, Canvas, style, ticks

_SIZE = 520


def roc_curve(media: Media) -> Canvas:
    """True over false positive rate, one curve per class, and the diagonal of chance."""
    canvas = _unit(media, "False positive rate", "True positive rate")
    _diagonal(canvas)
    entries = []
    for index, one in enumerate(media.data["classes"]):
        color, dashes = style(index)
        _curve(canvas, zip(one["fpr"], one["tpr"], strict=True), color, dashes)
        entries.append((_named(one, "AUC", one.get("auc")), color, dashes))
    canvas.legend(entries, canvas.right - 8, canvas.bottom - 8)
    return canvas


def pr_curve(media: Media) -> Canvas:
    """Precision over recall, one curve per class; steps, because nothing lies between two thresholds."""
    canvas = _unit(media, "Recall", "Precision")
    entries = []
    for index, one in enumerate(media.data["classes"]):
        color, dashes = style(index)
        _curve(canvas, _steps(zip(one["recall"], one["precision"], strict=True)), color, dashes)
        entries.append((_named(one, "AP", one.get("average_precision")), color, dashes))
    canvas.legend(entries, canvas.right - 8, canvas.bottom - 8)
    return canvas


def calibration(media: Media) -> Canvas:
    """Observed frequency over predicted probability, and how many predictions each bin has."""
    data = media.data
    canvas = _unit(media, "Mean predicted probability", "Observed frequency")
    largest = max(data["counts"], default=0) or 1
    for predicted, observed, count in zip(data["predicted"], data["observed"], data["counts"], strict=True):
        tall = 60 * count / largest
        canvas.rect(_x(canvas, predicted) - 8, canvas.bottom - tall, 16, tall, GRID, f"{count} predictions")
        tip = f"predicted {predicted:.4g}, observed {observed:.4g}, {count} predictions"
        canvas.dot(_x(canvas, predicted), _y(canvas, observed), COLORS[0], tip)
    _diagonal(canvas)
    _curve(canvas, zip(data["predicted"], data["observed"], strict=True), COLORS[0], "")
    entries = [(_named({"label": "model"}, "Brier", data.get("brier")), COLORS[0], "")]
    canvas.legend([*entries, ("perfectly calibrated", SOFT, "4 4")], canvas.left + 240, canvas.top + 48)
    return canvas


def _unit(media: Media, x: str, y: str) -> Canvas:
    canvas = Canvas(media.caption or media.key, _SIZE, _SIZE, (64, 44, 20, 56))
    for tick in ticks(0.0, 1.0, 5):
        across, down = _x(canvas, tick), _y(canvas, tick)
        canvas.line(across, canvas.top, across, canvas.bottom)
        canvas.line(canvas.left, down, canvas.right, down)
        canvas.text(across, canvas.bottom + 18, f"{tick:.1f}", anchor="middle", fill=SOFT)
        canvas.text(canvas.left - 8, down + 4, f"{tick:.1f}", anchor="end", fill=SOFT)
    canvas.line(canvas.left, canvas.bottom, canvas.right, canvas.bottom, INK)
    canvas.line(canvas.left, canvas.top, canvas.left, canvas.bottom, INK)
    canvas.axis_labels(x, y)
    return canvas


def _x(canvas: Canvas, value: float) -> float:
    return canvas.left + min(1.0, max(0.0, value)) * (canvas.right - canvas.left)


def _y(canvas: Canvas, value: float) -> float:
    return canvas.bottom - min(1.0, max(0.0, value)) * (canvas.bottom - canvas.top)


def _diagonal(canvas: Canvas) -> None:
    canvas.line(canvas.left, canvas.bottom, canvas.right, canvas.top, SOFT, 1, "4 4")


def _steps(points: Iterable[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """The precision of a threshold holds from the recall before it up to its own."""
    before: float | None = None
    for recall, precision in points:
        if before is not None:
            yield before, precision
        yield recall, precision
        before = recall


def _curve(canvas: Canvas, points: Iterable[tuple[float, float]], color: str, dashes: str) -> None:
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    canvas.curve([(_x(canvas, x), _y(canvas, y)) for x, y in finite], color, dashes)


def _named(one: dict[str, Any], score: str, value: float | None) -> str:
    label = str(one["label"])
    label = label if len(label) <= 20 else label[:19] + "…"
    return label if value is None else f"{label} ({score} {value:.3f})"

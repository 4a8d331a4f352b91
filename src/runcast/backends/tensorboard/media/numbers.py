"""Histograms and precision-recall curves, in the dashboards that TensorBoard has for them."""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from runcast import render
from runcast.backends.tensorboard.media.medium import Medium, rendered
from runcast.formats.tfevents import histogram_value, pr_curve_value

_BINS = 64
_THRESHOLDS = 127  # as many as TensorBoard's own summary makes
_NOMINAL = 10_000


def histogram(medium: Medium) -> None:
    """Left edge, right edge and count of each bucket."""
    data = medium.record.data
    edges, counts = data.get("edges"), data.get("counts")
    if medium.record.contents:
        file = medium.content()
        path, bins = medium.path(file), int(data.get("bins") or _BINS)
        edges, counts = rendered(lambda: render.histogram(path, bins))
        medium.keep(file)
    if edges is None or counts is None or len(edges) != len(counts) + 1:
        raise ValueError("it has neither values, nor one edge more than counts")
    finite = _finite([float(edge) for edge in edges])
    rows = zip(finite, finite[1:], map(float, counts), strict=False)
    buckets = b"".join(struct.pack("<3d", *row) for row in rows)
    medium.show(medium.tag, histogram_value(medium.tag, buckets))
    if data.get("nonfinite"):
        medium.degraded("values that are NaN or infinite are in no bucket; the record counts them")
    if finite != edges:
        medium.degraded("an infinite edge is shown as the finite one next to it")


def _finite(edges: list[float]) -> list[float]:
    """Edges that can be drawn: beyond the last finite one there is nothing."""
    inner = [edge for edge in edges if math.isfinite(edge)]
    if not inner or any(math.isnan(edge) for edge in edges):
        raise ValueError("it has no finite edge" if not inner else "one of its edges is NaN")
    return [min(max(edge, inner[0]), inner[-1]) for edge in edges]


def pr_curve(medium: Medium) -> None:
    """One curve per class at the evenly spaced thresholds that the dashboard takes for granted."""
    classes: list[dict[str, Any]] = medium.record.data["classes"]
    for one in classes:
        tag = medium.tag if len(classes) == 1 else medium.name(f"{medium.record.key}/{one['label']}")
        medium.show(tag, _curve(medium, tag, one))
        if one.get("average_precision") is not None:
            medium.words.append(f"{one['label']}: average precision {one['average_precision']}")


def _curve(medium: Medium, tag: str, one: dict[str, Any]) -> bytes:
    thresholds = [math.inf if t is None else float(t) for t in one["thresholds"]]
    finite = [t for t in thresholds if math.isfinite(t)]
    if not finite:
        raise ValueError("it has no threshold")
    low, high = min(finite), max(finite)
    scaled = low < 0 or high > 1
    if scaled:
        medium.degraded(f"thresholds from {low:g} to {high:g} are shown on TensorBoard's scale from 0 to 1")
    else:
        low, high = 0.0, 1.0
    points = _points(medium, one, len(thresholds))
    nothing = _nothing(points)
    rising = [-t for t in thresholds]
    columns = []
    for n in range(_THRESHOLDS):
        at = low + (high - low) * n / (_THRESHOLDS - 1)
        behind = bisect_right(rising, -at)  # thresholds fall: so many are at or above
        columns.append(points[behind - 1] if behind else nothing)
    rows = [number for row in zip(*columns, strict=True) for number in row]
    return pr_curve_value(tag, _THRESHOLDS, struct.pack(f"<{len(rows)}f", *rows))


def _points(medium: Medium, one: dict[str, Any], count: int) -> list[tuple[float, ...]]:
    """For each threshold: the four counts, precision, recall."""
    precision, recall = _floats(one["precision"], count), _floats(one["recall"], count)
    if all(name in one for name in ("tp", "fp", "tn", "fn")):
        counts = [_floats(one[name], count) for name in ("tp", "fp", "tn", "fn")]
    else:
        medium.degraded(
            f"counts are not known: TensorBoard shows them as of {_NOMINAL} positives, and no negatives left"
        )
        tp = [_NOMINAL * r for r in recall]
        fp = [t * (1 - p) / p if p > 0 else _NOMINAL for t, p in zip(tp, precision, strict=True)]
        counts = [tp, fp, [0.0] * count, [_NOMINAL - t for t in tp]]
    return list(zip(*counts, precision, recall, strict=True))


def _floats(values: Sequence[Any], count: int) -> list[float]:
    if len(values) < count:
        raise ValueError(f"{len(values)} numbers for {count} thresholds")
    return [float(value) for value in values[len(values) - count :]]  # a point before the first has none


def _nothing(points: list[tuple[float, ...]]) -> tuple[float, ...]:
    """Above the largest score nothing is taken for positive."""
    tp, fp, tn, fn, *_ = points[0]
    return 0.0, 0.0, tn + fp, fn + tp, 1.0, 0.0

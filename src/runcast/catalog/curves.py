"""Points of metrics, streamed from the journals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runcast.catalog.model import RunInfo
from runcast.errors import UsageError
from runcast.journal.layout import Layout
from runcast.journal.reader import read_run
from runcast.records import Metrics, Scalar

Point = tuple[int, int, Scalar]
"""(step, time in ns since 1970, value)."""

Curve = list[tuple[int, float]]
"""(step, value), to be drawn; NaN is a gap."""


def history(run: RunInfo, *keys: str) -> dict[str, list[Point]]:
    """Every point of some metrics, or of all where none is named; see `RunInfo.history`."""
    unknown = [key for key in keys if key not in run.metrics]
    if unknown:
        there = ", ".join(list(run.metrics)[:10]) or "none"
        raise UsageError(f"run {run.id} has no metric {unknown[0]!r}; it has: {there}")
    points: dict[str, list[Point]] = {key: [] for key in keys or run.metrics}
    if not points:
        return points
    folder = Layout(run.home).run(run.id)
    wanted = points.keys()
    for record in read_run(folder):
        if isinstance(record, Metrics):
            for key in wanted & record.values.keys():
                points[key].append((record.step, record.time, record.values[key]))
    if not any(points.values()):
        raise UsageError(
            f"the points of run {run.id} are gone: its journal {folder / 'journal'} has no metrics"
        )
    return points


def curve(points: Sequence[Point], most: int = 600) -> Curve:
    """Points in order of their steps, thinned out to about `most`, keeping every peak and valley.

    Each of `most` / 2 equal stretches of points gives its smallest and its largest value.
    """
    drawn = [(step, _float(value)) for step, _, value in sorted(points, key=lambda point: point[0])]
    if len(drawn) <= most:
        return drawn
    kept: Curve = []
    buckets = max(most // 2, 1)
    for number in range(buckets):
        part = drawn[len(drawn) * number // buckets : len(drawn) * (number + 1) // buckets]
        finite = [point for point in part if math.isfinite(point[1])] or part[:1]
        ends = {min(finite, key=lambda point: point[1]), max(finite, key=lambda point: point[1])}
        kept.extend(sorted(ends))
    kept[0], kept[-1] = drawn[0], drawn[-1]
    return kept


def _float(value: Scalar) -> float:
    """A height to draw; what has none (NaN, infinities, beyond a float) is NaN."""
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan

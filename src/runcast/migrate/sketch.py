"""Curves for a report, taken from records as they stream by: a few hundred points each, with every peak."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runcast.catalog.curves import Curve
from runcast.records import Metrics, Record

CELLS = 200
METRICS = 8
RUNS = 30


class _Cell(NamedTuple):
    """Some neighbouring points: the lowest and the highest."""

    low: tuple[int, float]
    high: tuple[int, float]

    def joined(self, other: _Cell) -> _Cell:
        return _Cell(
            min(self.low, other.low, key=lambda p: p[1]), max(self.high, other.high, key=lambda p: p[1])
        )


class Sketch:
    """One metric, in the order of its points; twice `CELLS` points at most, however many come.

    Attributes:
        flat: how many points have no height: NaN, an infinity.
    """

    def __init__(self) -> None:
        self.flat = 0
        self._cells: list[_Cell] = []
        self._size, self._in_last = 1, 0

    def add(self, step: int, value: float) -> None:
        """One more point."""
        try:
            height = float(value)
        except OverflowError:
            height = math.inf
        if not math.isfinite(height):
            self.flat += 1
            return
        cell = _Cell((step, height), (step, height))
        if self._cells and self._in_last < self._size:
            self._cells[-1] = self._cells[-1].joined(cell)
            self._in_last += 1
            return
        self._cells.append(cell)
        self._in_last = 1
        if len(self._cells) > CELLS:
            pairs = zip(self._cells[::2], [*self._cells[1::2], self._cells[-1]], strict=False)
            self._cells = [one.joined(other) for one, other in pairs]
            self._size *= 2

    def curve(self) -> Curve:
        """Points by step."""
        return sorted({point for cell in self._cells for point in cell})


class Sketches:
    """Curves of both sides of the first `RUNS` runs, the first `METRICS` metrics of each.

    Attributes:
        cut: whether there were more of them.
    """

    def __init__(self) -> None:
        self.cut = False
        self._runs: dict[str, dict[str, dict[str, Sketch]]] = {}

    def watch(self, run: str, side: str, records: Iterable[Record]) -> Iterable[Record]:
        """The records, once seen; see `runcast.migrate.verify.Watch`."""
        if run not in self._runs and len(self._runs) >= RUNS:
            self.cut = True
            return records
        return self._seen(self._runs.setdefault(run, {}), side, records)

    def _seen(
        self, metrics: dict[str, dict[str, Sketch]], side: str, records: Iterable[Record]
    ) -> Iterator[Record]:
        for record in records:
            if isinstance(record, Metrics):
                for name, value in record.values.items():
                    if name not in metrics and len(metrics) >= METRICS:
                        self.cut = True
                        continue
                    metrics.setdefault(name, {}).setdefault(side, Sketch()).add(record.step, value)
            yield record

    def of(self, run: str) -> dict[str, dict[str, Sketch]]:
        """Metric → ``source`` and ``target`` → its sketch."""
        return self._runs.get(run, {})

"""Points as records: one row for each time and step; with what runcast knows of them, as they were said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from runcast.records import Metrics, System
from runcast.sources.mlflow.stored import Point

_MS = 1_000_000
_LARGEST = 1.7976931348623157e308
_moment = itemgetter(0, 1)


class Row(NamedTuple):
    """What one record said at one step.

    Attributes:
        ms, step: of its points in MLflow.
        time: ns since 1970.
        system: whether it was a look at the machine.
        names: as they were said.
        keys: MLflow's, in the same order.
        doubles: what MLflow holds for each of `values`.
        values: position → value, where the point in MLflow has another one.
    """

    ms: int
    step: int
    time: int
    system: bool
    names: list[str]
    keys: list[str]
    doubles: dict[int, float]
    values: dict[int, Any]


def plain(points: Iterable[Point], name: Callable[[str], str]) -> Iterator[Metrics]:
    """Points of one time and step as one record, and each further one of the same key as one more."""
    for (ms, step), group in groupby(points, _moment):
        yield from _layers(ms, step, [(name(key), value) for _, _, key, value in group])


def _layers(ms: int, step: int, values: list[tuple[str, float]]) -> Iterator[Metrics]:
    together: dict[str, bool | int | float] = dict(values)
    if len(together) == len(values):  # nearly always: no name twice
        if together:
            yield Metrics(time=ms * _MS, step=step, values=together)
        return
    layers: list[dict[str, bool | int | float]] = []
    depth: dict[str, int] = {}
    for key, value in values:
        number = depth.get(key, 0)
        depth[key] = number + 1
        if number == len(layers):
            layers.append({})
        layers[number][key] = value
    for layer in layers:
        yield Metrics(time=ms * _MS, step=step, values=layer)


def said(
    points: Iterable[Point], rows: Iterable[Row], name: Callable[[str], str]
) -> Iterator[Metrics | System]:
    """Points with the rows that they came from; both sorted by ms and step.

    A point that no row speaks of was added later, and one that is gone was taken out: the tracker wins.
    """
    stored, known = groupby(points, _moment), groupby(rows, _moment)
    here, there = next(stored, None), next(known, None)
    while here is not None:
        while there is not None and there[0] < here[0]:
            there = next(known, None)
        (ms, step), group = here
        found: dict[str, list[float]] = {}
        for _, _, key, value in group:
            found.setdefault(key, []).append(value)
        if there is not None and there[0] == here[0]:
            yield from _matched(found, list(there[1]))
            there = next(known, None)
        left = [(name(key), value) for key, values in found.items() for value in values]
        yield from _layers(ms, step, left)
        here = next(stored, None)


def _matched(found: dict[str, list[float]], rows: list[Row]) -> Iterator[Metrics | System]:
    """Records of one time and step; takes what they need out of `found`."""
    there = {key: [_plain(value) for value in values] for key, values in found.items()}
    given: dict[str, float] = {}
    for row in rows:
        for position, double in row.doubles.items():
            _take(found.get(row.keys[position], []), double)
    for row in rows:
        values = {}
        for position, (name, key) in enumerate(zip(row.names, row.keys, strict=True)):
            stored = there.get(key)
            if not stored:
                continue
            if position in row.values:
                if _plain(row.doubles[position]) in stored:
                    values[name] = row.values[position]
            elif found[key]:
                values[name] = given[key] = found[key].pop(0)
            elif key in given:  # equal to the first, and MLflow keeps both as one
                values[name] = given[key]
            else:  # its point was edited, or another row took it
                values[name] = math.nan if stored[-1] == "nan" else stored[-1]
        if values and row.system:
            yield System(time=row.time, values=values)
        elif values:
            yield Metrics(time=row.time, step=row.step, values=values)


def _take(values: list[float], double: float) -> None:
    wanted = _plain(double)
    for number, value in enumerate(values):
        if _plain(value) == wanted:
            del values[number]
            return


def _plain(value: float) -> Any:
    """Something by which doubles can be compared: NaN is itself, and the infinities the largest doubles."""
    if value != value:
        return "nan"
    return max(-_LARGEST, min(_LARGEST, value))


def double(value: Any, unit: int) -> float:
    """What MLflow gets for a value that was said, divided by its unit."""
    try:
        return float(value) if unit == 1 else float(value / unit)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

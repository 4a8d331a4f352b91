"""The metrics of two runs, point by point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from runcast.records import Scalar
from runcast.reproduce.past import Points

Place = tuple[int, int]
"""Step, and which of the points at that step it is."""


class MetricMatch(msgspec.Struct, frozen=True):
    """One metric of two runs.

    Attributes:
        points, again: number of points then and now.
        matched: points that are there in both and agree.
        step: of the first point that differs or is there in one alone; None where all match.
        then, now: the values there; None where there is none.
        largest: largest absolute difference of finite values.
    """

    key: str
    points: int
    again: int
    matched: int
    step: int | None
    then: Scalar | None
    now: Scalar | None
    largest: float

    @property
    def ok(self) -> bool:
        """Whether every point matches."""
        return self.step is None


def compare(
    then: Points, now: Points, rtol: float = 0.0, atol: float = 0.0, ignore: Sequence[str] = ()
) -> list[MetricMatch]:
    """Every metric of either run, in the order of their names.

    Args:
        rtol, atol: two finite values agree where ``|a - b| <= atol + rtol * |a|``; with both 0 they must be
            equal. NaN agrees with NaN, an infinity with itself.
        ignore: patterns of metrics to leave out, such as ``time/*``.
    """
    keys = sorted(key for key in {**then, **now} if not any(fnmatchcase(key, pattern) for pattern in ignore))
    return [_compare(key, then.get(key, []), now.get(key, []), rtol, atol) for key in keys]


def _compare(
    key: str,
    then: Sequence[tuple[int, Scalar]],
    now: Sequence[tuple[int, Scalar]],
    rtol: float,
    atol: float,
) -> MetricMatch:
    old, new = _placed(then), _placed(now)
    matched, largest = 0, 0.0
    first: Place | None = None
    for place in sorted({**old, **new}):
        one, other = old.get(place), new.get(place)
        if one is not None and other is not None:
            largest = max(largest, distance(one, other))
            if agree(one, other, rtol, atol):
                matched += 1
                continue
        first = first or place
    return MetricMatch(
        key=key,
        points=len(old),
        again=len(new),
        matched=matched,
        step=None if first is None else first[0],
        then=None if first is None else old.get(first),
        now=None if first is None else new.get(first),
        largest=largest,
    )


def _placed(points: Sequence[tuple[int, Scalar]]) -> dict[Place, Scalar]:
    """Points by their places: a script may log one metric twice at a step."""
    counts: dict[int, int] = {}
    placed: dict[Place, Scalar] = {}
    for step, value in points:
        number = counts.get(step, 0)
        counts[step] = number + 1
        placed[step, number] = value
    return placed


def agree(one: Scalar, other: Scalar, rtol: float, atol: float) -> bool:
    """Whether two values count as the same."""
    if one == other or (one != one and other != other):
        return True
    if not (rtol or atol):
        return False
    try:
        a, b = float(one), float(other)
    except OverflowError:
        return False
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= atol + rtol * abs(a)


def distance(one: Scalar, other: Scalar) -> float:
    """Absolute difference; 0 where either is not finite."""
    try:
        found = abs(float(one) - float(other))
    except OverflowError:
        return 0.0
    return found if math.isfinite(found) else 0.0

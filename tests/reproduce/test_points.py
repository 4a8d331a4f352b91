"""Points of two runs: what counts as the same."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from runcast.reproduce.points import agree, compare

scalars = st.one_of(st.booleans(), st.integers(), st.floats())


@settings(max_examples=40)
@given(st.dictionaries(st.text(), st.lists(st.tuples(st.integers(0, 5), scalars))))
def test_a_run_is_like_itself(points: dict[str, list[tuple[int, bool | int | float]]]) -> None:
    """Whatever was logged: NaN, infinities, huge integers, several points at a step."""
    found = compare(points, points)

    assert [metric.key for metric in found] == sorted(points)
    assert all(metric.ok and metric.matched == metric.points == len(points[metric.key]) for metric in found)


@given(st.floats(), st.floats(), st.floats(0, 1), st.floats(0, 1))
def test_a_tolerance_forgives_only_finite_differences(a: float, b: float, rtol: float, atol: float) -> None:
    """As the standard library has it, with the old value as the measure."""
    expected = a == b or (math.isnan(a) and math.isnan(b))
    if math.isfinite(a) and math.isfinite(b) and (rtol or atol):
        expected = expected or abs(a - b) <= atol + rtol * abs(a)

    assert agree(a, b, rtol, atol) == expected


def test_two_points_at_one_step() -> None:
    """The second is compared with the second."""
    (metric,) = compare({"x": [(0, 1.0), (0, 2.0), (1, 3.0)]}, {"x": [(0, 1.0), (0, 2.5)]})

    assert (metric.matched, metric.step, metric.then, metric.now, metric.largest) == (1, 0, 2.0, 2.5, 0.5)

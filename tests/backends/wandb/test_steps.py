"""Steps of any kind: nothing is lost, and the rows are such as W&B takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runcast.backends.wandb.rows import AXIS, TIMES, Rows

keys = st.sampled_from(["a", "b", "train/x", "train/y"])
steps = st.integers(-3, 6) | st.sampled_from([-(2**63), 2**62, 2**63 - 1])
logged = st.lists(st.tuples(steps, st.dictionaries(keys, st.integers(0, 3), min_size=1)), max_size=25)


class Written:
    """Rows and axes as they come out."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, dict[str, str]]] = []
        self.axes: dict[str, str] = {}
        self.defined: set[str] = set()
        self.state: dict[str, Any] = {}

    def sink(self) -> Rows:
        """A new instance over the same memory, as after a crash."""
        return Rows(self.state, self._row, self.axis)

    def _row(self, step: int, time: int, values: Mapping[str, str]) -> None:
        self.rows.append((step, time, {key: text for key, text in values.items() if key != TIMES}))

    def axis(self, key: str, axis: str, new: bool) -> None:
        """Note an axis."""
        assert key not in self.axes
        self.axes[key] = axis
        if new:
            self.defined.add(key)

    def points(self) -> Counter[tuple[str, int, str]]:
        """Every point, by the rule: the axis's column where the row has one, else the row's step."""
        found: Counter[tuple[str, int, str]] = Counter()
        for step, _, values in self.rows:
            for key, value in values.items():
                if not key.startswith(AXIS):
                    found[key, int(values.get(self.axes.get(key, ""), step)), value] += 1
        return found


def said(records: list[tuple[int, dict[str, int]]]) -> Counter[tuple[str, int, str]]:
    """Every point that was logged."""
    return Counter((key, step, str(value)) for step, values in records for key, value in values.items())


@settings(max_examples=250, deadline=None)
@given(logged)
def test_every_point_comes_back(records: list[tuple[int, dict[str, int]]]) -> None:
    """Whatever the steps, each point is in one row with its step; rows grow strictly, from 0 to 2^63."""
    written = Written()
    for time, (step, values) in enumerate(records):
        written.sink().add(step, time, {key: str(value) for key, value in values.items()})
    written.sink().flush()
    assert written.points() == said(records)
    numbers = [step for step, _, _ in written.rows]
    assert numbers == sorted(set(numbers))
    assert all(0 <= number < 2**63 for number in numbers)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.sets(keys, min_size=1)), max_size=20))
def test_growing_steps_need_no_axis(records: list[tuple[int, set[str]]]) -> None:
    """A run whose steps only grow, each key once per step, has rows at those steps and no further column."""
    written, seen = Written(), set()
    for step, names in sorted(records, key=lambda record: record[0]):
        fresh = {key for key in names if (key, step) not in seen}
        seen |= {(key, step) for key in fresh}
        if fresh:
            written.sink().add(step, 0, dict.fromkeys(sorted(fresh), "1"))
    written.sink().flush()
    assert not written.axes
    assert [step for step, _, _ in written.rows] == sorted({step for _, step in seen})


def test_a_rewound_run_keeps_the_chart_of_what_was_before() -> None:
    """A metric that goes back keeps its default chart, and has its true steps in a column."""
    written = Written()
    rows = written.sink()
    for step in (0, 1, 2, 1, 2, 3):
        rows.add(step, step, {"loss": str(step)})
    rows.flush()
    assert [(step, values.get(AXIS + "loss")) for step, _, values in written.rows] == [
        (0, None), (1, None), (2, None), (3, "1"), (4, "2"), (5, "3"),
    ]  # fmt: skip
    assert not written.defined


def test_the_last_record_of_a_row_gives_its_time() -> None:
    """Two records of one step make one row with the second one's time."""
    written = Written()
    rows = written.sink()
    rows.add(4, 10, {"a": "1"})
    rows.add(4, 20, {"b": "2"})
    rows.flush()
    assert written.rows == [(4, 20, {"a": "1", "b": "2"})]

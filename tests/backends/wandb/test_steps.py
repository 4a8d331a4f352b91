"""Steps of any kind: nothing is lost, and the rows are such as W&B takes them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runcast.backends.wandb import spelling
from runcast.backends.wandb.row import Row
from runcast.backends.wandb.rows import AXIS, Rows
from runcast.records import Metrics

keys = st.sampled_from(["a", "b", "train/x", "train/y"])
steps = st.integers(-3, 6) | st.sampled_from([-(2**63), 2**62, 2**63 - 1])
numbers = st.integers(0, 3) | st.sampled_from([0.5, 2.0, -0.0])
logged = st.lists(
    st.builds(Metrics, time=st.integers(0, 9), step=steps, values=st.dictionaries(keys, numbers, min_size=1)),
    max_size=25,
)


class Written:
    """Rows and axes as they come out."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, dict[str, str]]] = []
        self.times: list[bytes] = []
        self.axes: dict[str, str] = {}
        self.defined: set[str] = set()
        self.state: dict[str, Any] = {}

    def sink(self) -> Rows:
        """A new instance over the same memory, as after a crash."""
        return Rows(self.state, self.give, self.axis)

    def put(self, records: list[Metrics], together: int) -> None:
        """Write numbers down, so many at once, and forget all but the memory in between."""
        for at in range(0, len(records), together):
            rows, some = self.sink(), records[at : at + together]
            rows.extend(some, [spelled(value) for record in some for value in record.values.values()])
            rows.save()

    def end(self) -> None:
        """Nothing more comes."""
        self.sink().flush()

    def give(self, rows: list[Row]) -> None:
        """Note rows."""
        for row in rows:
            values = {key: text.decode() for key, text in row.cells.items()}
            self.rows.append((row.step, row.time, values))
            self.times.append(row.times())

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


def spelled(value: float) -> bytes:
    """JSON of a number."""
    return spelling.number(value)[0].encode()


def said(records: list[Metrics]) -> Counter[tuple[str, int, str]]:
    """Every point that was logged."""
    points = ((key, r.step, spelled(value).decode()) for r in records for key, value in r.values.items())
    return Counter(points)


@settings(max_examples=250, deadline=None)
@given(logged, st.integers(1, 9))
def test_every_point_comes_back(records: list[Metrics], together: int) -> None:
    """Whatever the steps, each point is in one row with its step; rows grow strictly, from 0 to 2^63."""
    written = Written()
    written.put(records, together)
    written.end()
    assert written.points() == said(records)
    numbers = [step for step, _, _ in written.rows]
    assert numbers == sorted(set(numbers))
    assert all(0 <= number < 2**63 for number in numbers)


@settings(max_examples=250, deadline=None)
@given(logged, st.integers(1, 9))
def test_records_put_together_make_the_rows_of_records_put_one_by_one(
    records: list[Metrics], together: int
) -> None:
    """Rows, times, axes and last values are the same, in the same order."""
    many, single = Written(), Written()
    many.put(records, together)
    for record in records:
        rows = single.sink()
        texts = {key: spelled(value) for key, value in record.values.items()}
        exact = {key: text.decode() for key, text in texts.items() if text.endswith(b".0")}
        rows.add(record.step, record.time, texts, exact)
        rows.save()
    assert many.state == single.state
    assert list(many.state.get("summary", {})) == list(single.state.get("summary", {}))
    many.end()
    single.end()
    assert (many.rows, many.times, many.axes) == (single.rows, single.times, single.axes)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.sets(keys, min_size=1)), max_size=20))
def test_growing_steps_need_no_axis(records: list[tuple[int, set[str]]]) -> None:
    """A run whose steps only grow, each key once per step, has rows at those steps and no further column."""
    written, seen = Written(), set()
    for step, names in sorted(records, key=lambda record: record[0]):
        fresh = {key for key in names if (key, step) not in seen}
        seen |= {(key, step) for key in fresh}
        written.put([Metrics(time=0, step=step, values=dict.fromkeys(sorted(fresh), 1))] if fresh else [], 1)
    written.end()
    assert not written.axes
    assert [step for step, _, _ in written.rows] == sorted({step for _, step in seen})


def test_a_rewound_run_keeps_the_chart_of_what_was_before() -> None:
    """A metric that goes back keeps its default chart, and has its true steps in a column."""
    written = Written()
    rows = written.sink()
    for step in (0, 1, 2, 1, 2, 3):
        rows.add(step, step, {"loss": b"%d" % step})
    rows.flush()
    assert [(step, values.get(AXIS + "loss")) for step, _, values in written.rows] == [
        (0, None), (1, None), (2, None), (3, "1"), (4, "2"), (5, "3"),
    ]  # fmt: skip
    assert not written.defined


def test_the_last_record_of_a_row_gives_its_time() -> None:
    """Two records of one step make one row with the second one's time."""
    written = Written()
    rows = written.sink()
    rows.add(4, 10, {"a": b"1"})
    rows.add(4, 20, {"b": b"2"})
    rows.flush()
    assert written.rows == [(4, 20, {"a": "1", "b": "2"})]

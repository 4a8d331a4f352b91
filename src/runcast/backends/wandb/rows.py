"""Metrics at any step, in W&B's one history whose ``_step`` must always grow.

Records of one step become one row, as W&B's client makes it; the row is held back until the step moves on.
A step that does not fit (backward, repeated, negative, at the end of 64 bits) costs nothing: its keys leave
the common axis. From then on each has its step in a column of its own, ``runcast/step/<key>``, which
`define_metric` makes the x axis, and rides in whatever row is open. Keys that leave together share a column.
So the step of a value is its axis's column where the row has one, else ``_step``; and a run whose steps only
grow has no such column.

W&B has one time for a row, in seconds. The column `TIMES` says the rest, in ns after that time cut to whole
ns. It is a number where all values of the row were said at once; else JSON text: a list of ``[ns, names,
exact]``, one per record, with the names of its numbers (null: all there are) and, as text, those numbers that
do not arrive as they were: W&B's client sends 6.0 as 6 and long integers as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from runcast.backends.wandb import spelling
from runcast.backends.wandb.row import Row
from runcast.records import Metrics

AXIS = "runcast/step/"
TIMES = "_runcast"
"""W&B's UI draws no charts of columns that begin with an underscore."""
LARGEST = 2**63 - 2**40
"""Rows are numbered in 64 bits, and many must still come after one of any step that is allowed."""


class Rows:
    """Turns records into rows.

    Args:
        state: JSON-like memory, written by `save`; begins empty. Values in it are JSON texts, so that it can
            hold what JSON cannot, such as NaN.
        give: takes rows that are complete.
        axis: takes a key that leaves the common axis, its new axis, and whether the key is new.

    Attributes:
        summary: key → JSON text of its last value.
    """

    def __init__(
        self,
        state: dict[str, Any],
        give: Callable[[list[Row]], None],
        axis: Callable[[str, str, bool], None],
    ) -> None:
        state.setdefault("last", -1)
        state.setdefault("open", None)
        self._axes: dict[str, str] = state.setdefault("axes", {})
        self.summary = {key: text.encode() for key, text in state.setdefault("summary", {}).items()}
        self._given: int = state.setdefault("count", 0)
        self._row: Row | None = None
        self._state = state
        self._give = give
        self._axis = axis
        self.restore(state)

    def restore(self, held: Mapping[str, Any]) -> None:
        """Go back to a last step and an open row, as `save` noted them; no row is new by this."""
        count = self.count
        self._last: int = held["last"]
        self._row = None if held["open"] is None else Row.restored(held["open"])
        self._given = count - (self._row is not None)

    def save(self) -> None:
        """Bring the memory up to date."""
        row = None if self._row is None else self._row.saved()
        summary = {key: text.decode() for key, text in self.summary.items()}
        self._state.update(last=self._last, open=row, count=self.count, summary=summary)

    @property
    def last(self) -> int:
        """Step of the last row, the open one included; -1 before the first."""
        return self._row.step if self._row is not None else self._last

    @property
    def count(self) -> int:
        """How many rows there are, the open one included."""
        return self._given + (self._row is not None)

    def add(
        self, step: int, time: int, values: dict[str, bytes], exact: dict[str, str] | None = None
    ) -> None:
        """Put values at a step.

        Args:
            step, time: where; ns since 1970.
            values: key → JSON text.
            exact: of numbers, those that W&B would change, as text; None where they are no numbers.
        """
        axes = self._axes
        if axes.keys().isdisjoint(values):
            common, own = values, {}
        else:
            common = {key: value for key, value in values.items() if key not in axes}
            own = {key: value for key, value in values.items() if key in axes}
        if common and not self._common(step, time, common, exact):
            own = values
            name = AXIS + next(iter(common))
            for key in common:
                axes[key] = name
                self._axis(key, name, key not in self.summary)
        if own:
            self._own(step, time, own, exact)
        self.summary.update(values)

    def extend(self, records: Sequence[Metrics], texts: list[bytes]) -> None:
        """`add` for each of many records of numbers.

        Args:
            records: their names are keys.
            texts: the JSON texts of all of their values, one after the other.
        """
        axes, row, last = self._axes, self._row, self.last
        wholes = iter(spelling.wholes(texts))
        whole = next(wholes, len(texts))
        made: list[Row] = []
        first = begin = end = 0  # record, and text, from which on the summary knows nothing yet
        for number, record in enumerate(records):
            values, step, time = record.values, record.step, record.time
            at, end = end, end + len(values)
            part = texts[at:end]
            exact: dict[str, str] = {}
            names = list(values) if whole < end else []
            while whole < end:
                exact[names[whole - at]] = texts[whole].decode()
                whole = next(wholes, len(texts))
            is_common = not axes or axes.keys().isdisjoint(values)
            if is_common and last < step <= LARGEST:
                if row is not None:
                    made.append(row)
                row, last = Row(step, time, values, part, [(time, values, exact or None)]), step
                continue
            columns: dict[str, bytes] = {}
            if not is_common and axes.keys() >= values.keys():
                columns = dict.fromkeys([axes[key] for key in values], b"%d" % step)
                if row is None or not row.has_room(values, columns):
                    made += [row] if row is not None else []
                    last += 1
                    row = Row(last, time, [], [], [])
            elif not is_common or row is None or row.step != step or not row.has_room(values):
                self._adopt(made, row, records[first:number], texts[begin:at])
                self.add(step, time, dict(zip(values, part, strict=True)), exact)
                made, row, last, first, begin = [], self._row, self.last, number + 1, end
                continue
            row.put(time, values, part, exact)
            if columns:
                row.cells.update(columns)
        self._adopt(made, row, records[first:], texts[begin:])

    def _adopt(
        self, made: list[Row], row: Row | None, records: Sequence[Metrics], texts: list[bytes]
    ) -> None:
        """Take over what `extend` has made of some records."""
        self._row = row
        if made:
            self._emit(made)
        left = dict.fromkeys(chain.from_iterable(record.values for record in records))
        for name in left:  # in the order in which they came
            self.summary.setdefault(name, b"")
        at = len(texts)
        for record in reversed(records):  # the last one has nearly always all of them
            values, end = record.values, at
            at -= len(values)
            for name, text in zip(values, texts[at:end], strict=True):
                if name in left:
                    del left[name]
                    self.summary[name] = text
            if not left:
                break

    def flush(self) -> None:
        """Give out the open row."""
        if self._row is not None:
            row, self._row = self._row, None
            self._emit([row])

    def _emit(self, rows: list[Row]) -> None:
        self._given += len(rows)
        self._last = rows[-1].step
        self._give(rows)

    def _begin(self, step: int, time: int) -> Row:
        self.flush()
        self._row = Row(step, time, [], [], [])
        return self._row

    def _common(self, step: int, time: int, values: dict[str, bytes], exact: dict[str, str] | None) -> bool:
        row = self._row
        if self.last < step <= LARGEST:
            row = self._begin(step, time)
        elif row is None or row.step != step or not row.has_room(values):
            return False
        row.put(time, values, values.values(), exact)
        return True

    def _own(self, step: int, time: int, values: dict[str, bytes], exact: dict[str, str] | None) -> None:
        columns = {self._axes[key]: b"%d" % step for key in values}
        row = self._row
        if row is None or not row.has_room(values, columns):
            row = self._begin(self.last + 1, time)
        row.put(time, values, values.values(), exact)
        row.cells.update(columns)

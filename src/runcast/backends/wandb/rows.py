"""Metrics at any step, in W&B's one history whose ``_step`` must always grow.

Records of one step become one row, as W&B's client makes it; the row is held back until the step moves on.
A step that does not fit (backward, repeated, negative) costs nothing: its keys leave the common axis. From
then on each has its step in a column of its own, ``runcast/step/<key>``, which `define_metric` makes the x
axis, and rides in whatever row is open. Keys that leave together share a column. So the step of a value is
its axis's column where the row has one, else ``_step``; and a run whose steps only grow has no such column.

W&B has one time for a row, in seconds. The column `TIMES` says the rest, in ns after that time cut to whole
ns. It is a number where all values of the row were said at once; else JSON text: a list of ``[ns, names,
exact]``, one per record, with the names of its numbers (null: all there are) and, as text, those numbers that
do not arrive as they were: W&B's client sends 6.0 as 6 and long integers as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runcast import codec

AXIS = "runcast/step/"
TIMES = "_runcast"
"""W&B's UI draws no charts of columns that begin with an underscore."""
_SECOND = 10**9


class Rows:
    """Turns records into rows.

    Args:
        state: JSON-like memory, changed in place; begins empty. Values in it are JSON texts, so that it
            can hold what JSON cannot, such as NaN.
        row: takes a row that is complete: step, time in ns, key → JSON text; the dict is its own to change.
        axis: takes a key that leaves the common axis, its new axis, and whether the key is new.
    """

    def __init__(
        self,
        state: dict[str, Any],
        row: Callable[[int, int, dict[str, str]], None],
        axis: Callable[[str, str, bool], None],
    ) -> None:
        state.setdefault("last", -1)
        state.setdefault("open", None)
        state.setdefault("axes", {})
        state.setdefault("summary", {})
        state.setdefault("count", 0)
        self._state = state
        self._row = row
        self._axis = axis

    @property
    def summary(self) -> Mapping[str, str]:
        """Every key's last value."""
        summary: Mapping[str, str] = self._state["summary"]
        return summary

    @property
    def last(self) -> int:
        """Step of the last row, the open one included; -1 before the first."""
        row = self._state["open"]
        return int(row["step"] if row else self._state["last"])

    @property
    def count(self) -> int:
        """How many rows there are, the open one included."""
        return int(self._state["count"])

    def add(self, step: int, time: int, values: dict[str, str], exact: dict[str, str] | None = None) -> None:
        """Put values at a step.

        Args:
            step, time: where; ns since 1970.
            values: key → JSON text.
            exact: of numbers, those that W&B would change, as text; None where they are no numbers.
        """
        axes = self._state["axes"]
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
        self._state["summary"].update(values)

    def flush(self) -> None:
        """Give out the open row."""
        row = self._state["open"]
        if row is not None:
            self._state["open"] = None
            self._state["last"] = row["step"]
            self._row(row["step"], row["time"], {**row["values"], TIMES: _times(row)})

    def _begin(self, step: int, time: int) -> dict[str, Any]:
        self.flush()
        row: dict[str, Any] = {"step": step, "time": time, "values": {}, "said": []}
        self._state["open"] = row
        self._state["count"] += 1
        return row

    def _common(self, step: int, time: int, values: dict[str, str], exact: dict[str, str] | None) -> bool:
        row = self._state["open"]
        if step > self.last:
            row = self._begin(step, time)
            row["values"].update(values)
            _say(row, time, values, exact)
            return True
        if row is None or row["step"] != step or not row["values"].keys().isdisjoint(values):
            return False
        row["values"].update(values)
        row["time"] = time
        _say(row, time, values, exact)
        return True

    def _own(self, step: int, time: int, values: dict[str, str], exact: dict[str, str] | None) -> None:
        columns = {self._state["axes"][key]: str(step) for key in values}
        row = self._state["open"]
        held = row["values"] if row else {}
        if not row or any(k in held for k in values) or any(held.get(a, s) != s for a, s in columns.items()):
            row = self._begin(self.last + 1, time)
        row["values"].update(values)
        row["values"].update(columns)
        row["time"] = time
        _say(row, time, values, exact)


def whole(time: int) -> int:
    """A time in ns as W&B's row has it: seconds as a double, cut to whole ns."""
    return int(time / _SECOND * _SECOND)


def _say(row: dict[str, Any], time: int, values: Mapping[str, str], exact: dict[str, str] | None) -> None:
    if exact is None:
        row["mixed"] = True
        return
    changed = {key: text for key, text in exact.items() if key in values} if exact else None
    row["said"].append([time, list(values), changed])


def _times(row: Mapping[str, Any]) -> str:
    """The JSON text of `TIMES`."""
    said, base = row["said"], whole(row["time"])
    if len(said) == 1 and "mixed" not in row:
        time, _, exact = said[0]
        if not exact:
            return str(time - base)
        parts = [[time - base, None, exact]]
    else:
        parts = [[time - base, keys, exact] for time, keys, exact in said]
    return codec.to_json(codec.to_json(parts).decode()).decode()

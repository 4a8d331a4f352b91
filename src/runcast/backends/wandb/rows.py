"""Metrics at any step, in W&B's one history whose ``_step`` must always grow.

Records of one step become one row, as W&B's client makes it; the row is held back until the step moves on.
A step that does not fit (backward, repeated, negative) costs nothing: its keys leave the common axis. From
then on each has its step in a column of its own, ``runcast/step/<key>``, which `define_metric` makes the x
axis, and rides in whatever row is open. Keys that leave together share a column. So the step of a value is
its axis's column where the row has one, else ``_step``; and a run whose steps only grow has no such column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

AXIS = "runcast/step/"


class Rows:
    """Turns records into rows.

    Args:
        state: JSON-like memory, changed in place; begins empty. Values in it are JSON texts, so that it
            can hold what JSON cannot, such as NaN.
        row: takes a row that is complete: step, time in ns, key → JSON text.
        axis: takes a key that leaves the common axis, its new axis, and whether the key is new.
    """

    def __init__(
        self,
        state: dict[str, Any],
        row: Callable[[int, int, Mapping[str, str]], None],
        axis: Callable[[str, str, bool], None],
    ) -> None:
        state.setdefault("last", -1)
        state.setdefault("open", None)
        state.setdefault("axes", {})
        state.setdefault("summary", {})
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

    def add(self, step: int, time: int, values: dict[str, str]) -> None:
        """Put values at a step."""
        axes = self._state["axes"]
        if axes.keys().isdisjoint(values):
            common, own = values, {}
        else:
            common = {key: value for key, value in values.items() if key not in axes}
            own = {key: value for key, value in values.items() if key in axes}
        if common and not self._common(step, time, common):
            own = values
            name = AXIS + next(iter(common))
            for key in common:
                axes[key] = name
                self._axis(key, name, key not in self.summary)
        if own:
            self._own(step, time, own)
        self._state["summary"].update(values)

    def flush(self) -> None:
        """Give out the open row."""
        row = self._state["open"]
        if row is not None:
            self._state["open"] = None
            self._state["last"] = row["step"]
            self._row(row["step"], row["time"], row["values"])

    def _common(self, step: int, time: int, values: dict[str, str]) -> bool:
        row = self._state["open"]
        if step > self.last:
            self.flush()
            self._state["open"] = {"step": step, "time": time, "values": dict(values)}
            return True
        if row is None or row["step"] != step or not row["values"].keys().isdisjoint(values):
            return False
        row["values"].update(values)
        row["time"] = time
        return True

    def _own(self, step: int, time: int, values: dict[str, str]) -> None:
        columns = {self._state["axes"][key]: str(step) for key in values}
        row = self._state["open"]
        held = row["values"] if row else {}
        if not row or any(k in held for k in values) or any(held.get(a, s) != s for a, s in columns.items()):
            after = self.last + 1
            self.flush()
            row = self._state["open"] = {"step": after, "time": time, "values": {}}
        row["values"].update(values)
        row["values"].update(columns)
        row["time"] = time

"""What a metric is summed up to: W&B takes the summary as the log says it, so it is worked out here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from runcast.records import Define, Scalar
from runcast.summaries import best_is, definition


class Summaries:
    """Sums up the metrics that were defined, from their definition on.

    NaN and the infinities count for ``last`` and ``first`` alone; without a goal the lowest is the best.

    Args:
        state: JSON-like memory, changed in place; begins empty. Numbers in it are JSON texts.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        state.setdefault("defined", [])
        state.setdefault("sums", {})
        self._state = state
        self._found: dict[str, list[Any] | None] = {}

    def define(self, record: Define) -> None:
        """Sum a metric up from now on; the last pattern that fits a name wins."""
        self._found.clear()
        others = [each for each in self._state["defined"] if each[0] != record.key]
        self._state["defined"] = [*others, [record.key, record.goal, list(record.summary)]]

    @property
    def wanted(self) -> bool:
        """Whether any metric was defined."""
        return bool(self._state["defined"])

    def take(self, step: int, values: Mapping[str, Scalar]) -> None:
        """Numbers at a step, by the names that the script used."""
        if not self._state["defined"]:
            return
        for name, value in values.items():
            defined = self._definition(name)
            if defined and defined[2]:
                self._add(name, step, value, defined[1])

    @property
    def names(self) -> list[str]:
        """The names that were summed up, as the script used them."""
        return list(self._state["sums"])

    def shown(self, name: str) -> dict[str, Any] | None:
        """What stands in W&B's summary for a name; None where it is the last value, as usual."""
        defined, sums = self._definition(name), self._state["sums"].get(name)
        if not defined or not defined[2] or not sums:
            return None
        wanted = [*defined[2], *(["best_step"] if "best" in defined[2] else [])]
        values = {**sums, "mean": _mean(sums)}
        return {each: json.loads(values[each]) for each in wanted if values.get(each) is not None}

    def _definition(self, name: str) -> list[Any] | None:
        if name not in self._found:
            self._found[name] = definition(name, {each[0]: each for each in self._state["defined"]})
        return self._found[name]

    def _add(self, name: str, step: int, value: Scalar, goal: str | None) -> None:
        sums = self._state["sums"].setdefault(name, {})
        text = json.dumps(value)
        sums.setdefault("first", text)
        sums["last"] = text
        if not _finite(value):
            return
        lowest, highest = sums.get("min"), sums.get("max")
        is_lowest = lowest is None or value < json.loads(lowest)
        is_highest = highest is None or value > json.loads(highest)
        if is_lowest:
            sums["min"] = text
        if is_highest:
            sums["max"] = text
        if is_highest if best_is(goal) == "max" else is_lowest:
            sums.update(best=text, best_step=json.dumps(step))
        sums["count"] = sums.get("count", 0) + 1
        sums["total"] = json.dumps(json.loads(sums.get("total", "0")) + float(value))


def _finite(value: Scalar) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond a float's range
        return False


def _mean(sums: Mapping[str, Any]) -> str | None:
    return json.dumps(json.loads(sums["total"]) / sums["count"]) if sums.get("count") else None

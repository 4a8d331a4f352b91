"""What people want to see of a metric (``min``, ``max``, ``best``, ...), as a tag of the run.

MLflow shows the last value of a metric and knows no other. A number of its own for each summary would
look like one more metric, so it is JSON in the tag ``runcast.summary.<metric>``, written when the run ends:
``{"goal": "maximize", "best": 0.93, "best_step": 7, ...}``. Only values that came after the definition count.
"""

from __future__ import annotations

import json
import math
from typing import Any

from runcast.backends.mlflow import names
from runcast.codec import pack, unpack
from runcast.records import Define, Metrics
from runcast.summaries import best_is, definition

_ORDER = ("best", "min", "max", "mean", "last")


class Summaries:
    """The summaries of one run; made from the state for each batch, so that a refused one leaves nothing."""

    def __init__(self, state: dict[str, Any] | None) -> None:
        """`state` is what `dump` gave, or None."""
        known = unpack(state or {})
        self._defined: dict[str, dict[str, Any]] = dict(known.get("defined", {}))
        self._seen: dict[str, dict[str, Any]] = {key: dict(s) for key, s in known.get("seen", {}).items()}

    def dump(self) -> dict[str, Any] | None:
        """JSON-like; None where nothing was defined."""
        if not self._defined:
            return None
        packed: dict[str, Any] = pack({"defined": self._defined, "seen": self._seen})
        return packed

    def define(self, record: Define) -> None:
        """From now on, sum this metric up."""
        self._defined.pop(record.key, None)  # the last pattern that fits counts
        self._defined[record.key] = {"goal": record.goal, "summary": list(record.summary)}

    def take(self, record: Metrics) -> None:
        """Count the values of one step; NaN counts for nothing."""
        if self._defined:
            for key, value in record.values.items():
                if self._rule(key) is not None and not math.isnan(_double(value)):
                    self._count(key, _double(value), record.step)

    def _rule(self, key: str) -> dict[str, Any] | None:
        return definition(key, self._defined)

    def _count(self, key: str, value: float, step: int) -> None:
        new = {"n": 0, "sum": 0.0, "min": [value, step], "max": [value, step], "last": [value, step]}
        seen = self._seen.setdefault(key, new)
        seen["n"] += 1
        seen["sum"] = seen["sum"] + value
        seen["last"] = [value, step]
        if value < seen["min"][0]:
            seen["min"] = [value, step]
        if value > seen["max"][0]:
            seen["max"] = [value, step]

    def tags(self) -> dict[str, str]:
        """Tag → text, one for each metric that was seen."""
        found = {}
        for key, seen in self._seen.items():
            rule = self._rule(key)
            if rule is not None and (said := _said(rule, seen)):
                found[names.own_tag("runcast.summary.", names.key(key))] = json.dumps(pack(said))
        return found


def _said(rule: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    goal = rule["goal"]
    wanted = {*rule["summary"], *(["best"] if goal else [])}
    values = {"min": seen["min"], "max": seen["max"], "last": seen["last"]}
    values["mean"] = [seen["sum"] / seen["n"], None]
    values["best"] = seen[best_is(goal)]
    said: dict[str, Any] = {"goal": goal} if goal else {}
    for name in _ORDER:
        if name in wanted:
            value, step = values[name]
            said[name] = value
            if step is not None:
                said[f"{name}_step"] = step
    return said


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

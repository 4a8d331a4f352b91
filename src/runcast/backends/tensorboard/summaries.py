"""Least, greatest, mean and last value of the metrics that a run has defined, kept as points go by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from runcast.codec import pack, unpack
from runcast.records import Scalar
from runcast.summaries import best_is

Entry = list[Any]
"""Count and mean of the finite values; least and its step; greatest and its step; last and its step."""


def updated(entry: Entry | None, step: int, value: Scalar) -> Entry:
    """The entry with one more value; the one given stays as it is. JSON-like."""
    count, mean, least, least_step, most, most_step, _, _ = entry or [0, 0.0, *[None] * 6]
    number = _float(value)
    if math.isfinite(number):
        count += 1
        mean += number / count - mean / count  # in this order it stays finite
        if least is None or number < least:
            least, least_step = number, step
        if most is None or number > most:
            most, most_step = number, step
    return [count, mean, least, least_step, most, most_step, pack(number), step]


def wanted(entry: Entry, define: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What people want to see of a metric: name → ``value``, and ``step`` where there is one."""
    count, mean, least, least_step, most, most_step, last, last_step = entry
    goal = define.get("goal")
    known = {
        "min": {"value": least, "step": least_step},
        "max": {"value": most, "step": most_step},
        "mean": {"value": mean if count else None},
        "last": {"value": unpack(last), "step": last_step},
    }
    known["best"] = known[best_is(goal)]
    names = define.get("summary") or (["best", "last"] if goal else ["min", "max", "last"])
    return {name: known[name] for name in names if name in known}


def _float(value: Scalar) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

"""Rows of a history as W&B's interface hands them out: exact, sampled, and counted by key."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def exact(value: Any) -> Any:
    """The value with NaN and the infinities as text, which JSON objects of GraphQL have no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [exact(one) for one in value]
    return value


def sampled(rows: Sequence[T], most: int) -> list[T]:
    """At most so many of the rows, evenly spaced, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    if most < 2:
        return list(rows[:most])
    return [rows[round(at * (len(rows) - 1) / (most - 1))] for at in range(most)]


def sampled_rows(rows: Sequence[dict[str, Any]], spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that have all of the spec's keys, between its steps (both included), at most its samples."""
    keys = spec.get("keys") or []
    lower, upper = spec.get("minStep") or 0, spec.get("maxStep")
    chosen = [
        exact({key: row[key] for key in keys} if keys else row)
        for at, row in enumerate(rows)
        if all(key in row for key in keys)
        and row.get("_step", at) >= lower
        and (upper is None or row.get("_step", at) <= upper)
    ]
    return sampled(chosen, spec.get("samples") or 500)


def key_counts(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each key how often it comes, with which type of value; and the last step."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        for key, value in row.items():
            counts.setdefault(key, Counter())[_type(value)] += 1
    keys = {
        key: {
            "typeCounts": [{"type": kind, "count": count} for kind, count in found.items()],
            "monotonic": key == "_step", "previousValue": 0,
        }
        for key, found in counts.items()
    }  # fmt: skip
    last = max((row.get("_step", at) for at, row in enumerate(rows)), default=-1)
    return {"sets": [], "keys": keys, "lastStep": last}


def _type(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("_type", "map"))
    names: dict[type, str] = {str: "string", bool: "boolean", list: "list", type(None): "nil"}
    return names.get(type(value), "number")

"""Rows of W&B's history as metrics; what runcast's backend wrote comes back as it was said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from runcast.backends.wandb.media.place import CAPTION, METADATA
from runcast.backends.wandb.rows import AXIS, TIMES
from runcast.records import Metrics, Scalar

_SECOND = 10**9
_INT64 = 1 << 63
_FIRST, _LAST = -_INT64, _INT64 - 1
_OWN = ("_step", "_timestamp", "_runtime", TIMES)
_BESIDE = (AXIS, CAPTION, METADATA)
_MOST_COLUMNS = 10_000
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def time_of(values: Mapping[str, Any], otherwise: int) -> int:
    """A row's time in ns since 1970; `otherwise` where it has none that makes sense."""
    stamp = values.get("_timestamp")
    if type(stamp) is float and 1.0 < stamp < 4e9:
        return int(stamp * _SECOND)
    if isinstance(stamp, (int, float)) and 0 < stamp < _INT64 // _SECOND:
        return int(stamp * _SECOND)
    return otherwise


def step_of(values: Mapping[str, Any]) -> int:
    """A row's step.

    Raises:
        ValueError: it has none.
    """
    step = values.get("_step")
    if type(step) is float and step.is_integer():
        step = int(step)
    if type(step) is not int or not _FIRST <= step <= _LAST:
        raise ValueError(f"a row without a step that is an integer of 64 bits: {step!r:.50}")
    return step


class Said:
    """Turns rows that runcast's backend wrote into what was said.

    Args:
        axes: spelled name → the column that holds its step, where it left the common axis.
        names: spelled name → name.
    """

    def __init__(self, axes: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._axes = axes
        self._names = names

    def metrics(self, values: dict[str, Any]) -> list[Metrics]:
        """A row's numbers; its other values stand in the residual.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: nobody wrote it like that.
        """
        times = values[TIMES]
        base, step = int(values["_timestamp"] * _SECOND), step_of(values)
        if type(times) is int:
            return self._at(values, step, base + times, _numbers(values))
        found: list[Metrics] = []
        for after, keys, exact in json.loads(times):
            numbers = _numbers(values) if keys is None else {key: values[key] for key in keys}
            if exact:
                numbers |= {key: _exact(text) for key, text in exact.items()}
            found += self._at(values, step, base + after, numbers)
        return found

    def _at(self, values: dict[str, Any], step: int, time: int, numbers: dict[str, Any]) -> list[Metrics]:
        names = self._names
        if not self._axes:
            if str in map(type, numbers.values()):
                numbers = {k: number(v) if type(v) is str else v for k, v in numbers.items()}
            if names:
                numbers = {names.get(key, key): value for key, value in numbers.items()}
            return [Metrics(time=time, step=step, values=numbers)]
        by_step: dict[int, dict[str, Scalar]] = {}
        for key, value in numbers.items():
            own = values.get(self._axes.get(key, ""))
            place = step if own is None else int(own)
            by_step.setdefault(place, {})[names.get(key, key)] = number(value)
        return [Metrics(time=time, step=place, values=some) for place, some in by_step.items()]


class _Columns(dict[str, bool]):
    """Whether a column holds a number; remembers, since a run has the same ones in every row."""

    def __missing__(self, key: str) -> bool:
        if len(self) >= _MOST_COLUMNS:
            self.clear()
        found = self[key] = key not in _OWN and not key.startswith(_BESIDE)
        return found


_is_number = _Columns()


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if _is_number[key]}


def number(value: Any) -> Scalar:
    """A number that a server may have sent as text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, (bool, int, float)):
        return value
    if value in _FLOATS:
        return _FLOATS[value]
    raise ValueError(f"no number: {value!r:.50}")


def as_number(value: Any, *, from_server: bool) -> Scalar | None:
    """A cell's number, None where it is something else; a server sends NaN as text."""
    if isinstance(value, (bool, int, float)):
        return value
    return _FLOATS.get(value) if from_server and isinstance(value, str) else None


def flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A row's cells under W&B's own names: dicts that are no media have a dot between names."""
    for key, value in values.items():
        if isinstance(value, dict) and value and "_type" not in value:
            for inner, cell in flat(value):
                yield f"{key}.{inner}", cell
        else:
            yield key, value


def _exact(text: str) -> Scalar:
    return int(text, 16) if "0x" in text else float(text)

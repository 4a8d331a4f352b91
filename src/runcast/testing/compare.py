"""Two read-backs, compared under what a backend declares and reports.

A difference is allowed where the backend said so: beforehand in its capabilities, and, for everything
but the width of floats and the fineness of times, per name in a `Change`. Whatever is neither declared
nor reported is a fault.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runcast.plugins import Capabilities, Change
from runcast.records import Scalar
from runcast.testing.readback import Point, ReadBack, Reference

_FIELDS = {
    "params": "params",
    "metrics": "metrics",
    "tags": "tags",
    "note": "notes",
    "texts": "text",
    "artifacts": "artifacts",
    "status": "status",
    "parent": "nested",
}
_LOOK = 90


@dataclass(frozen=True)
class View:
    """What may differ, and why.

    Attributes:
        capabilities: as declared.
        changes: as reported, in any order.
        time_resolution: ns; how far a time may be off where times are held natively.
        span: first and last time of the run in ns; bounds of a time that is held in another form.
    """

    capabilities: Capabilities
    changes: Sequence[Change] = ()
    time_resolution: int = 1
    span: tuple[int, int] = (0, 0)

    def level(self, feature: str) -> str:
        """The declared level."""
        return str(getattr(self.capabilities, feature).level)

    def holds(self, feature: str) -> bool:
        """Whether the tracker keeps it in some form."""
        return self.level(feature) in ("native", "mapped")

    def reported(self, key: str, *what: str) -> bool:
        """Whether a change of one of these kinds names the key."""
        return any(change.key == key and change.what in what for change in self.changes)

    def lesser(self, feature: str, key: str) -> bool:
        """Whether a lesser form of this key was both declared and reported."""
        return self.level(feature) != "native" and self.reported(key, "degraded", "spilled")

    def said(self, shown: str, names: Mapping[str, Any] | Sequence[str]) -> str:
        """The name that the script used for a name that the tracker shows."""
        for change in self.changes:
            exact = change.detail == shown or change.detail.startswith(f"{shown} (")
            if change.what == "renamed" and exact and change.key in names:
                return change.key
        return shown


def differences(expected: ReadBack, got: ReadBack, view: View) -> list[str]:
    """Every difference that is neither declared nor reported, each in one line."""
    found: list[str] = []
    for field, feature in _FIELDS.items():
        wanted, seen = getattr(expected, field), getattr(got, field)
        if not view.holds(feature):
            found += _unheld(field, feature, wanted, view)
        elif seen is None:
            found.append(f"{field}: {feature} is declared {view.level(feature)}, but read_back() gives None")
        else:
            found += _COMPARE[field](wanted, seen, view)
    for field in ("experiment", "name"):
        wanted, seen = getattr(expected, field), getattr(got, field)
        if seen is not None and view.said(seen, [wanted]) != wanted:
            found.append(f"{field}: {_look(seen)}, not {_look(wanted)}; no change reports it")
    for field, compare in _OPTIONAL.items():
        wanted, seen = getattr(expected, field), getattr(got, field)
        if seen is not None and wanted is not None:
            found += compare(wanted, seen, view)
    return found


def _unheld(field: str, feature: str, wanted: Any, view: View) -> list[str]:
    """What cannot be held must be reported by name; nothing is dropped in silence."""
    if field in ("status", "parent") or not wanted:
        return []
    keys = [field] if field == "note" else list(wanted)
    return [
        f"{field} {_look(key)}: {feature} is declared {view.level(feature)}, but no change says 'skipped'"
        for key in keys
        if not view.reported(key, "skipped")
    ]


def _mapping(what: str, same: Callable[[str, Any, Any, View], list[str]]) -> Callable[..., list[str]]:
    def compare(wanted: Mapping[str, Any], seen: Mapping[str, Any], view: View) -> list[str]:
        named = {view.said(name, wanted): value for name, value in seen.items()}
        found = [f"{what} {_look(name)}: nobody said it" for name in named if name not in wanted]
        for name, value in wanted.items():
            if name in named:
                found += [f"{what} {_look(name)}: {text}" for text in same(name, value, named[name], view)]
            elif not view.reported(name, "skipped"):
                found.append(f"{what} {_look(name)}: missing; no change reports it")
        return found

    return compare


def _param(name: str, wanted: Any, seen: Any, view: View) -> list[str]:
    if _equal(wanted, seen):
        return []
    spelled = (str(wanted), json.dumps(wanted), json.dumps(wanted, ensure_ascii=False))
    if view.level("typed_params") != "native" and isinstance(seen, str) and seen in spelled:
        return []
    if view.reported(name, "degraded", "spilled"):
        return []
    return [f"{_look(seen)}, not {_look(wanted)}; no change reports it"]


def _equal(wanted: Any, seen: Any) -> bool:
    """Equality that tells 1 from True and 1.0 from 1 and finds NaN equal to itself."""
    if isinstance(wanted, float) and isinstance(seen, float):
        return wanted == seen or (wanted != wanted and seen != seen)
    if type(wanted) is not type(seen):
        return False
    if isinstance(wanted, dict):
        return wanted.keys() == seen.keys() and all(_equal(wanted[k], seen[k]) for k in wanted)
    if isinstance(wanted, list):
        return len(wanted) == len(seen) and all(map(_equal, wanted, seen))
    return bool(wanted == seen)


def _tag(name: str, wanted: str, seen: str, view: View) -> list[str]:
    same = wanted == seen or view.reported(name, "degraded", "spilled")
    return [] if same else [f"{_look(seen)}, not {_look(wanted)}; no change reports it"]


def _note(wanted: str, seen: str, view: View) -> list[str]:
    same = wanted == seen or view.reported("note", "degraded", "spilled")
    return [] if same else [f"note: {_look(seen)}, not {_look(wanted)}; no change reports it"]


def _texts(name: str, wanted: list[tuple[int, str]], seen: list[tuple[int, str]], view: View) -> list[str]:
    if not view.holds("exactly_once"):
        wanted, seen = list(dict.fromkeys(wanted)), list(dict.fromkeys(seen))
    if sorted(step for step, _ in wanted) != sorted(step for step, _ in seen):
        return [f"at steps {[s for s, _ in seen]}, not {[s for s, _ in wanted]}"]
    if sorted(wanted) == sorted(seen) or view.reported(name, "spilled"):
        return []
    return [f"{_look(sorted(seen))}, not {_look(sorted(wanted))}"]


def _files(name: str, wanted: Mapping[str, bytes], seen: Mapping[str, bytes], view: View) -> list[str]:
    if any(isinstance(content, Reference) for content in wanted.values()):
        return []
    full = {f"{name}/{path}": content for path, content in wanted.items()}
    found = {}
    for path, content in seen.items():
        long = view.said(f"{name}/{path}", full)
        found[long if long in full else f"{name}/{view.said(path, wanted)}"] = content
    return [
        f"file {_look(path)}: " + ("other content" if path in full and path in found else "missing or extra")
        for path in sorted(full.keys() | found.keys())
        if full.get(path) != found.get(path)
    ]


def _status(wanted: str, seen: str, view: View) -> list[str]:
    coarse = view.level("status") != "native" and wanted in ("crashed", "killed") and seen == "failed"
    return [] if wanted == seen or coarse else [f"status: {seen!r}, not {wanted!r}"]


def _parent(wanted: str, seen: str, view: View) -> list[str]:
    return [] if wanted == seen else [f"parent: {seen!r}, not {wanted!r}"]


def _steps(name: str, wanted: list[int], seen: list[int], view: View) -> list[str]:
    if not view.holds("exactly_once"):
        wanted, seen = sorted(set(wanted)), sorted(set(seen))
    same = sorted(wanted) == sorted(seen) or view.reported(name, "skipped")
    return [] if same else [f"at steps {sorted(seen)}, not {sorted(wanted)}; no change reports it"]


def _samples(name: str, wanted: list[Any], seen: list[Any], view: View) -> list[str]:
    if len(wanted) != len(seen):
        return [f"{len(seen)} samples, not {len(wanted)}"]
    found = []
    for (time, value), (shown_time, shown) in zip(sorted(wanted), sorted(seen), strict=True):
        if abs(time - shown_time) > max(view.time_resolution, 1_000_000):
            found.append(f"time {shown_time}, not {time}")
        if not same_value(name, value, shown, view):
            found.append(f"{shown!r}, not {value!r}")
    return found[:5]


def _flavor(name: str, wanted: str, seen: str, view: View) -> list[str]:
    same = wanted == seen or view.reported(name, "degraded")
    return [] if same else [f"flavor {seen!r}, not {wanted!r}; no change reports it"]


def _names(what: str) -> Callable[[list[str], list[str], View], list[str]]:
    def compare(wanted: list[str], seen: list[str], view: View) -> list[str]:
        there = sorted(view.said(name, wanted) for name in seen)
        asked = sorted(name for name in wanted if name in there or not view.reported(name, "skipped"))
        return [] if there == asked else [f"{what}: {_look(there)}, not {_look(asked)}"]

    return compare


def _points(name: str, wanted: list[Point], seen: list[Point], view: View) -> list[str]:
    if not view.holds("any_step") and view.reported(name, "degraded", "skipped"):
        return []
    found: list[str] = []
    ours, theirs = _by_step(wanted, view), _by_step(seen, view)
    for step in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(step, []), theirs.get(step, [])
        if len(mine) != len(other):
            found.append(f"{len(other)} points at step {step}, not {len(mine)}: {_look(other)}")
            continue
        for (_, time, value), (_, shown_time, shown) in zip(mine, other, strict=True):
            if not same_value(name, value, shown, view):
                found.append(f"{shown!r} at step {step}, not {value!r}")
            if not _same_time(time or 0, shown_time, view):
                found.append(f"time {shown_time} at step {step}, not {time}")
    return found[:5]


def _by_step(points: list[Point], view: View) -> dict[int, list[Point]]:
    if not view.holds("exactly_once"):
        points = list({repr(point): point for point in points}.values())
    steps: dict[int, list[Point]] = {}
    for point in sorted(points, key=lambda point: point[1] or 0):
        steps.setdefault(point[0], []).append(point)
    return steps


def _same_time(wanted: int, seen: int | None, view: View) -> bool:
    if not view.holds("metric_times") or (seen is None and view.level("metric_times") == "mapped"):
        return True
    if seen is None:
        return False
    if view.level("metric_times") == "native":
        return abs(wanted - seen) <= view.time_resolution
    first, last = view.span
    return first - view.time_resolution <= seen <= last + view.time_resolution


def same_value(name: str, wanted: Scalar, seen: Any, view: View) -> bool:
    """Whether a number came through as the backend declared."""
    if isinstance(seen, (bool, int, float)) and (wanted == seen or (wanted != wanted and seen != seen)):
        return True
    if isinstance(wanted, float) and not math.isfinite(wanted):
        return view.lesser("nonfinite", name)
    near = {single(wanted)} if view.level("float64") != "native" else set()
    if isinstance(wanted, int):
        beyond = not -(1 << 63) <= wanted < 1 << 63
        if view.level("int64") != "native" or (beyond and view.reported(name, "degraded")):
            near |= {double(wanted), single(wanted)} if near else {double(wanted)}
        # Beyond a double, whatever the tracker has stands for it, if the report says so.
        if math.isinf(double(wanted)) and view.reported(name, "degraded"):
            return True
    return seen in near


def double(value: Scalar) -> float:
    """The nearest 64-bit float; infinite beyond its range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def single(value: Scalar) -> float:
    """The nearest 32-bit float; infinite beyond its range."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", double(value)))[0])
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _look(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LOOK else f"{text[:_LOOK]}… ({len(text)} characters)"


_COMPARE: dict[str, Callable[..., list[str]]] = {
    "params": _mapping("param", _param),
    "metrics": _mapping("metric", _points),
    "tags": _mapping("tag", _tag),
    "note": _note,
    "texts": _mapping("text", _texts),
    "artifacts": _mapping("artifact", _files),
    "status": _status,
    "parent": _parent,
}
_OPTIONAL: dict[str, Callable[..., list[str]]] = {
    "media": _mapping("media", _steps),
    "system": _mapping("system metric", _samples),
    "traces": _names("traces"),
    "models": _mapping("model", _flavor),
    "inputs": _names("inputs"),
}

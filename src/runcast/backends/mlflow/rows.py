"""What was said at each step, where MLflow's points cannot tell: ``runcast/rows.jsonl.gz``.

MLflow keeps times in ms, values as doubles, and points of one metric, step, time and value once. So
each `Metrics` and `System` record has one line there, in the order of the journal:

- ``{"keys": [id, [name, ...]]}``, before the first row that needs it;
- ``{"row": [writer, seq, kind, step, time, id, values]}``: `kind` is ``m`` or ``s`` (system), `step` that of
  the points in MLflow, `time` in ns, `id` names the keys, and `values` holds by position those that the
  point in MLflow does not give back: ints, booleans, infinities, -0.0, what was converted, and every further
  one of the same metric, step and ms (which of the two points is which would be open) that is not equal to
  the first (MLflow holds those that are as one point).

The file grows in the run's own folder, each batch as a gzip member of its own, so that it can be cut
behind any batch that was acknowledged. What goes up has each row and each set of keys once.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import msgspec

from runcast.backends.mlflow import system
from runcast.codec import pack, to_json
from runcast.records import Metrics, Scalar, System

ARTIFACT = "runcast/rows.jsonl.gz"
_MOST_KEYS = 10_000
_MOST_NAMES = 200
"""Names of one ms that are remembered; they are part of the backend's state."""
_LEVEL = 3
"""Of compression: three times as fast as the default, 10% larger."""
_BUFFER = 1 << 16
"""Bytes: gzip's own methods are Python, and slow for a line."""


class Rows:
    """The file in the run's folder, and what makes its lines."""

    def __init__(self, path: Path, size: int, last: dict[str, Any] | None) -> None:
        """
        Args:
            path: the file.
            size: bytes that are acknowledged; what is behind them does not count.
            last: from `last`, as of then.
        """
        self.path = path
        self.size = size
        self._sets: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        self._new: list[tuple[str, ...]] = []
        self._began = size
        self.begin(last)

    def begin(self, last: dict[str, Any] | None) -> None:
        """Forget every line since `last` was taken: their batch was refused."""
        if self.size == self._began:  # none of them counts, so neither do the keys that came with them
            for names in self._new:
                self._sets.pop(names, None)
        self._new, self._began = [], self.size
        known = last or {"ms": None, "steps": {}}
        self._ms: int | None = known["ms"]
        self._steps = {int(step): _firsts(names) for step, names in known["steps"].items()}

    @property
    def last(self) -> dict[str, Any]:
        """JSON-like: by step in the last ms, digests of names with their first values, as text."""
        steps = {
            str(step): {name: repr(value) if type(value) is float else "" for name, value in firsts.items()}
            for step, firsts in self._steps.items()
        }
        return {"ms": self._ms, "steps": steps}

    def line(self, record: Metrics | System, points: Metrics) -> bytes:
        """The line of one record, behind that of its keys where this instance did not write them yet.

        Args:
            record: as it was said.
            points: as MLflow gets it.
        """
        names = tuple(record.values)
        known = self._sets.get(names)
        text = b""
        if known is None:
            if len(self._sets) >= _MOST_KEYS:
                self._sets.clear()
            self._new.append(names)
            known = self._sets[names] = (_digest("\0".join(names)), [_digest(name) for name in names])
            text = to_json({"keys": [known[0], list(names)]}) + b"\n"
        again = self._again(points.time // 1_000_000, points.step, known[1], tuple(record.values.values()))
        values = _values(record, again)
        kind = "s" if isinstance(record, System) else "m"
        row: list[Any] = [record.writer, record.seq, kind, points.step, record.time, known[0]]
        return text + to_json({"row": [*row, values] if values else row}) + b"\n"

    def _again(self, ms: int, step: int, names: list[str], values: tuple[Scalar, ...]) -> set[int]:
        """Positions of values that came after another one of the same name, step and ms."""
        if ms != self._ms or sum(map(len, self._steps.values())) > _MOST_NAMES:
            self._ms, self._steps = ms, {}
        if len(names) > _MOST_NAMES:
            return set()
        firsts = self._steps.get(step)
        if firsts is None:
            self._steps[step] = dict(zip(names, values, strict=True))
            return set()
        again = set()
        for position, (name, value) in enumerate(zip(names, values, strict=True)):
            if not _is_same(firsts.setdefault(name, value), value):
                again.add(position)
        return again

    def append(self, lines: list[bytes]) -> int:
        """Put lines behind what counts, and return the new size; count them by setting `size`."""
        return self._write(gzip.compress(b"".join(lines), _LEVEL, mtime=0)) if lines else self.size

    def start_from(self, path: Path) -> None:
        """Begin with the rows of another file: what an earlier life of this run left in MLflow."""
        self.size = 0
        self.size = self._write(path.read_bytes())

    def _write(self, data: bytes) -> int:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            file.truncate(self.size)
            file.seek(self.size)
            file.write(data)
            return file.tell()

    def tidy(self) -> Path:
        """A copy with each row and each set of keys once: equal records give an equal file."""
        target = self.path.with_name("tidy.jsonl.gz")
        described: set[str] = set()
        written: dict[str, tuple[int, set[str]]] = {}
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            os.fdopen(descriptor, "wb") as raw,
            gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
            io.BufferedWriter(packed, _BUFFER) as out,
            io.BufferedReader(gzip.open(self.path), _BUFFER) as lines,
        ):
            for text in lines:
                line = decode(text)
                if line.keys is not None:
                    if line.keys[0] not in described:
                        described.add(line.keys[0])
                        out.write(text)
                elif line.row is not None and _is_new(written, line.row):
                    out.write(text)
        return target


def _firsts(known: dict[str, str] | list[str]) -> dict[str, Scalar | None]:
    """From `Rows.last`; once it had names alone."""
    if isinstance(known, list):
        return dict.fromkeys(known)
    return {name: float(text) if text else None for name, text in known.items()}


def _is_same(first: Scalar | None, value: Scalar) -> bool:
    """Whether two points are one in MLflow, and the first can be read back from it as it was said."""
    if type(first) is not float or type(value) is not float or _is_odd(first):
        return first is value  # the first itself, which has not come again
    return first == value or (first != first and value != value)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _is_new(written: dict[str, tuple[int, set[str]]], row: list[Any]) -> bool:
    """Whether a row comes for the first time; a record may come in parts, each with its own keys."""
    writer, seq, _, _, _, keys = row[:6]
    last, parts = written.get(writer, (0, set[str]()))
    if not writer:  # nobody numbered it
        return True
    if seq < last or (seq == last and keys in parts):
        return False
    written[writer] = (seq, {*parts, keys} if seq == last else {keys})
    return True


class Line(msgspec.Struct):
    """One line, decoded but for floats: `keys` or a `row`, see the module's text."""

    keys: tuple[str, list[str]] | None = None
    row: list[Any] | None = None


_decoder = msgspec.json.Decoder(Line)


def decode(text: bytes) -> Line:
    """A line of the file.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates in names
        return msgspec.convert(json.loads(text), Line)


def _values(record: Metrics | System, again: set[int]) -> dict[str, Any]:
    """Position → value, of those that a point does not give back."""
    converted = isinstance(record, System)
    return {
        str(position): pack(value)
        for position, (name, value) in enumerate(record.values.items())
        if type(value) is not float
        or _is_odd(value)
        or position in again
        or (converted and system.native(name)[1] != 1)
    }


def _is_odd(value: float) -> bool:
    return math.isinf(value) or (value == 0.0 and math.copysign(1.0, value) < 0)

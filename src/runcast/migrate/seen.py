"""What of a run a journal holds already, so that reading its source again adds only what is new.

Each point of a metric is kept as 8 bytes of a hash, in order: a run of ten million points takes 80 MB.
As long as the source brings the same points in the same order, one comparison settles each; where its past
was edited, what is left is looked up regardless of order.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from typing import Any, TypeVar

import msgspec

from runcast import codec
from runcast.journal import JournalReader
from runcast.records import (
    Artifact,
    Input,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
    Trace,
    split,
)

_Points = TypeVar("_Points", bound=Metrics | System)


class Points:
    """The points of one metric, in order."""

    __slots__ = ("_at", "_left", "_rest", "hashes")

    def __init__(self) -> None:
        self.hashes = array("q")
        self._at = 0
        self._rest: Counter[int] | None = None

    def is_new(self, point: int) -> bool:
        """Whether this one is not among those that are left; takes it away."""
        if self._rest is None:
            if self._at < len(self.hashes) and self.hashes[self._at] == point:
                self._at += 1
                return False
            if self._at == len(self.hashes):
                return True
            self._rest = Counter(self.hashes[self._at :])
        if self._rest[point] > 0:
            self._rest[point] -= 1
            return False
        return True

    @property
    def missing(self) -> int:
        """How many the source did not bring again."""
        return len(self.hashes) - self._at if self._rest is None else sum(self._rest.values())


class Seen:
    """What one run's journal holds.

    Attributes:
        records: how many records.
        ended: the last `RunFinished`, if nothing came after it.
        started: the first `RunStarted`.
        generation: of the last writer; -1 where there is none.
        open: writers that began and have not had their last word, because the run went on in its source.
    """

    def __init__(self) -> None:
        self.records = 0
        self.started: RunStarted | None = None
        self.ended: RunFinished | None = None
        self.generation = -1
        self.open: dict[str, None] = {}
        self._points: dict[tuple[str, str], Points] = {}
        self._last: dict[tuple[str, str], Record] = {}
        self._said: dict[tuple[str, str], Record] = {}
        self._others: Counter[bytes] = Counter()

    @classmethod
    def of(cls, reader: JournalReader) -> Seen:
        """Read a whole journal."""
        seen = cls()
        while records := reader.read():
            for record in records:
                seen._take(record)
        seen.generation = max((header.generation for header in reader.segments()), default=-1)
        return seen

    def _take(self, record: Record) -> None:
        self.records += 1
        self.ended = record if isinstance(record, RunFinished) else None
        if isinstance(record, RunFinished):
            self.open.pop(record.of or record.writer, None)
        if isinstance(record, (Metrics, System)):
            step = record.step if isinstance(record, Metrics) else 0
            for name, value in record.values.items():
                points = self._points.setdefault((type(record).__name__, name), Points())
                points.hashes.append(_point(step, record.time, value))
        elif isinstance(record, RunStarted):
            self.started = self.started or record
            self.open[record.writer] = None
        else:
            for part in split(record):
                self._others[_content(part)] += 1
                if (place := _place(part)) is not None:
                    self._last[place] = part

    def fresh(self, record: Record) -> Record | None:
        """What of a record is not in the journal yet; None where all of it is."""
        if isinstance(record, (Metrics, System)):
            return self.fresh_points(record)
        if isinstance(record, RunStarted):
            return None if self.started is not None else record
        parts = [part for part in split(record) if self._is_new(part)]
        if not parts:
            return None
        if len(parts) == 1:
            return parts[0]
        values = {name: value for part in parts for name, value in _values(part).items()}
        return msgspec.structs.replace(record, values=values)

    def _is_new(self, part: Record) -> bool:
        if (place := _place(part)) is not None:
            self._said[place] = part
        content = _content(part)
        if self._others[content] > 0:
            self._others[content] -= 1
            return False
        return True

    def reverted(self) -> list[Record]:
        """Params, tags and the note whose last value is one that they had before; after the last record."""
        return [
            part
            for place, part in self._said.items()
            if place in self._last and _content(self._last[place]) != _content(part) and self._was(part)
        ]

    def _was(self, part: Record) -> bool:
        """Whether a part was taken for one that is in the journal, and so was not written again."""
        return _content(part) in self._others

    def fresh_points(self, record: _Points) -> _Points | None:
        """`fresh` for the two kinds that hold points."""
        if not self._points:
            return record
        kind, step = type(record).__name__, record.step if isinstance(record, Metrics) else 0
        new = {}
        for name, value in record.values.items():
            points = self._points.get((kind, name))
            if points is None or points.is_new(_point(step, record.time, value)):
                new[name] = value
        if len(new) == len(record.values):
            return record
        return msgspec.structs.replace(record, values=new) if new else None

    def unsaid(self) -> list[str]:
        """Params, tags and the note that the journal has and the source does not have any more, in words.

        To be asked after the last record.
        """
        left = [place for place in self._last if place not in self._said]
        return [f"{kind.lower().removesuffix('s')} {name}".strip() for kind, name in left]

    def gone(self) -> dict[str, int]:
        """Metric → how many of its points the source has no more; to be asked after the last record."""
        return {name: points.missing for (_, name), points in self._points.items() if points.missing}


def _place(part: Record) -> tuple[str, str] | None:
    """What only has one value at a time: a param, a tag, the note."""
    if isinstance(part, (Params, Tags)):
        return type(part).__name__, next(iter(part.values), "")
    return ("Note", "") if isinstance(part, Note) else None


def _values(part: Record) -> dict[str, Any]:
    values: dict[str, Any] = getattr(part, "values", {})
    return values


def _point(step: int, time: int, value: Any) -> int:
    # `repr` tells 1 from 1.0 and True, and keeps the sign of zero. Python's own hash of text is another in
    # each process, but no hash leaves this one, and a cryptographic one costs twice as much.
    return hash(f"{step} {time} {value!r}")


def _content(record: Record) -> bytes:
    """A digest of what a record says, whoever wrote it; of a value that is set, not of when."""
    time = 0 if isinstance(record, (Params, Tags, Note)) else record.time
    plain = msgspec.structs.replace(record, writer="", seq=0, time=time)
    if isinstance(plain, (Artifact, Model, Input, Trace)):
        plain = msgspec.structs.replace(plain, origin={})
    return hashlib.blake2b(codec.encode(plain), digest_size=16).digest()

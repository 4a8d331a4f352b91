"""What a run holds, in a form that two readings can be compared by: constant memory per name.

Points of a metric are summed up by a digest of (step, time, value) that does not depend on their order, which
no tracker keeps; their times do. This module knows nothing of how a backend writes; it sees records alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from runcast import codec
from runcast.journal import Blobs
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Media,
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
)

_MODULUS = 1 << 128
CHUNK = 1 << 20
"""Bytes of a file that are in memory while it is digested."""


class Series:
    """The points of one metric: how many, and a digest that does not depend on their order."""

    __slots__ = ("count", "digest")

    def __init__(self) -> None:
        self.count = 0
        self.digest = 0

    def add(self, step: int, time: int, value: Any) -> None:
        """One more point."""
        text = f"{step}\0{time}\0{value!r}".encode()
        self.digest += int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
        self.digest %= _MODULUS
        self.count += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and (self.count, self.digest) == (other.count, other.digest)

    __hash__ = None  # type: ignore[assignment]  # it changes


class Content:
    """One run's content.

    Attributes:
        head: experiment, name, group, job_type, user, host, status, error, started and ended in ns.
        params, tags: the last value of each.
        note: the last one.
        series: ("metric" or "system", name) → points.
        others: (what, name) → digests of what was said under it, with how often.
    """

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.note = ""
        self.series: dict[tuple[str, str], Series] = {}
        self.others: dict[tuple[str, str], Counter[str]] = {}

    @classmethod
    def of(cls, records: Iterable[Record]) -> Content:
        """Take in a stream of records."""
        content = cls()
        for record in records:
            content.take(record)
        return content

    def take(self, record: Record) -> None:
        """One more record."""
        if isinstance(record, Metrics):
            self._points("metric", record.step, record.time, record.values)
        elif isinstance(record, System):
            self._points("system", 0, record.time, record.values)
        elif isinstance(record, Params):
            self.params.update(record.values)
        elif isinstance(record, Tags):
            self.tags.update(record.values)
        elif isinstance(record, Note):
            self.note = record.text
        elif isinstance(record, RunStarted):
            self._start(record)
        elif isinstance(record, RunFinished):
            self.head |= {"status": record.status, "error": record.error, "ended": record.time}
        else:
            self._other(record)

    def fingerprint(self) -> str:
        """A digest of all of it, 32 hex digits."""
        plain = (
            sorted(self.head.items()),
            sorted(self.params.items()),
            sorted(self.tags.items()),
            self.note,
            sorted((kind, name, s.count, s.digest) for (kind, name), s in self.series.items()),
            sorted((what, name, sorted(digests.items())) for (what, name), digests in self.others.items()),
        )
        return hashlib.blake2b(repr(plain).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _points(self, kind: str, step: int, time: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            series = self.series.get((kind, name))
            if series is None:
                series = self.series[kind, name] = Series()
            series.add(step, time, value)

    def _start(self, record: RunStarted) -> None:
        names = ("experiment", "name", "group", "job_type", "user", "host")
        if "started" not in self.head:
            self.head["started"] = record.time
        self.head |= {name: getattr(record, name) for name in names}
        self.head |= {"status": "running", "error": None, "ended": None}

    def _other(self, record: Record) -> None:
        what, name = _place(record)
        if what:
            self.others.setdefault((what, name), Counter())[_digest(record)] += 1


def _place(record: Record) -> tuple[str, str]:
    if isinstance(record, Media):
        return record.type, record.key
    if isinstance(record, (Artifact, Model, Input)):
        return str(record.__struct_config__.tag), record.name
    if isinstance(record, Environment):
        return "environment", ""
    if isinstance(record, Trace):
        return "trace", record.id
    if isinstance(record, Define):
        return "define", record.key
    return "", ""  # `Lost` is about a reading, not about the run


def _digest(record: Record) -> str:
    """Of what a record says: neither of its writer, nor of where its files were kept meanwhile."""
    changes: dict[str, Any] = {"writer": "", "seq": 0}
    files: list[FileRef] = getattr(record, "files", [])
    if files:
        changes["files"] = [_plain(file) for file in files]
    file: FileRef | None = getattr(record, "file", None)
    if file is not None:
        changes["file"] = _plain(file)
    if isinstance(record, Input):
        changes["run"] = None  # another tracker's run has another id
    if isinstance(record, (Artifact, Model, Input, Trace)):
        changes["origin"] = {}
    if isinstance(record, Trace):
        changes["model"] = {}
    payload = codec.encode(msgspec.structs.replace(record, **changes))
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def _plain(file: FileRef) -> FileRef:
    return FileRef(file.path, file.sha256, file.size, uri=file.uri)


class Uncopied(Blobs):
    """Takes content without keeping it, where only its digest and size matter; writes nothing.

    Attributes:
        bytes: how much it was given.
    """

    def __init__(self) -> None:
        super().__init__(Path())
        self.bytes = 0

    def put_bytes(self, *parts: bytes | memoryview) -> tuple[str, int]:
        """Sha256 and size."""
        sha = hashlib.sha256()
        for part in parts:
            sha.update(part)
        return self._told(sha.hexdigest(), sum(len(part) for part in parts))

    def put_file(self, source: Path) -> tuple[str, int]:
        """Sha256 and size of a file as it is now."""
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would block
        sha, size = hashlib.sha256(), 0
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{source} is no plain file")
            while chunk := file.read(CHUNK):
                sha.update(chunk)
                size += len(chunk)
        return self._told(sha.hexdigest(), size)

    def _told(self, digest: str, size: int) -> tuple[str, int]:
        self.bytes += size
        return digest, size

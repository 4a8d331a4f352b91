"""Reading a journal back: read-only, incremental, and unmoved by damage.

The rule, per segment and line by line:

1. A bad line with good lines behind it is *damage*: it is skipped and reported with its byte range.
2. A bad line at the end, or bytes after the last newline, is a *torn tail*: while the writer lives it
   may still become whole, so the reader waits; once the writer is dead it is nothing.
3. A record that was written twice (after a failed write) counts once; a gap in the numbers is the
   exact count of what was lost.
4. Segments of an earlier generation come first; within a generation records are merged by time.
   Time never decides whether a record is valid.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runcast import codec
from runcast.errors import FormatError, JournalError
from runcast.journal.frame import HEAD, Header, seed, unframe, unframe_header
from runcast.records import Record

CHUNK = 1 << 20


class Position(msgspec.Struct):
    """How far a reader has come, as it is kept in a cursor.

    Attributes:
        offsets: segment → bytes read.
        seqs: writer → number of its last record.
    """

    offsets: dict[str, int] = {}
    seqs: dict[str, int] = {}

    def copy(self) -> Position:
        """An independent copy."""
        return Position(dict(self.offsets), dict(self.seqs))


class Damage(msgspec.Struct, frozen=True):
    """Something unreadable: bytes [start, end) of a segment, or `missing` records of a writer."""

    segment: str
    start: int = 0
    end: int = 0
    missing: int = 0
    unknown: int = 0
    message: str = ""


class _Segment:
    """One file: yields whole records from an offset on."""

    def __init__(self, path: Path, offset: int) -> None:
        self.path = path
        self.name = path.stem
        self.offset = offset  # of the first byte not yet parsed
        self.header: Header | None = None
        self.unreadable = ""
        self.parsed: deque[tuple[Record, int]] = deque()  # record, offset behind it
        self._seed = 0
        self._suspect = -1  # start of bad lines that no good line has followed yet

    @property
    def writer(self) -> str:
        return self.name.rpartition("-")[0]

    def fill(self, damage: list[Damage]) -> bool:
        """Parse the next chunk; False where nothing new is whole."""
        if self.unreadable:
            return False
        try:
            with self.path.open("rb", buffering=0) as file:
                if self.header is None and not self._read_header(file.read(1 << 16), damage):
                    return False
                file.seek(self.offset)
                data = file.read(CHUNK)
                while data and b"\n" not in data and (more := file.read(CHUNK * 8)):
                    data += more
        except FileNotFoundError:
            return False
        end = data.rfind(b"\n") + 1
        if end == 0:
            return False
        self._parse(data[:end], damage)
        return True

    def _read_header(self, head: bytes, damage: list[Damage]) -> bool:
        line, newline, _ = head.partition(b"\n")
        if not newline and len(head) < 1 << 16:
            return False  # still being written
        try:
            self.header = unframe_header(line)
        except FormatError:
            raise
        except JournalError as error:
            # The writer's name stands in the file's name too, so its records can still be told.
            damage.append(Damage(self.name, 0, len(line) + 1, message=str(error)))
            self.header = Header(run="", writer=self.writer)
        self._seed = seed(self.header.writer)
        self.offset = max(self.offset, len(line) + 1)
        return True

    def _parse(self, data: bytes, damage: list[Damage]) -> None:
        place = self.offset
        for line in data[:-1].split(b"\n"):
            after = place + len(line) + 1
            whole = unframe(line, self._seed)
            if whole is None:
                if self._suspect < 0:
                    self._suspect = place
            else:
                if self._suspect >= 0:
                    damage.append(Damage(self.name, self._suspect, place, message="damaged bytes skipped"))
                    self._suspect = -1
                self._take(whole, after, damage)
            place = after
        self.offset = place

    def _take(self, whole: tuple[int, bytes], after: int, damage: list[Damage]) -> None:
        seq, payload = whole
        try:
            record = codec.decode(payload)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
            message = f"a record that this version does not know was passed over: {error}"
            damage.append(
                Damage(self.name, after - len(payload) - HEAD - 1, after, unknown=1, message=message)
            )
            return
        msgspec.structs.force_setattr(record, "writer", self.writer)
        msgspec.structs.force_setattr(record, "seq", seq)
        self.parsed.append((record, after))


class JournalReader:
    """Reads one run's segments, from a position on, as often as asked.

    Args:
        folder: the run's journal folder.
        position: where to begin; it moves as records are given out.
    """

    def __init__(self, folder: Path, position: Position | None = None) -> None:
        self.folder = folder
        self.position = position or Position()
        self.damage: list[Damage] = []
        """What was found unreadable so far; the caller may empty it."""
        self._segments: dict[str, _Segment] = {}
        self._seen_mtime = -1

    def segments(self) -> list[Header]:
        """Headers of the segments seen so far."""
        return [s.header for s in self._segments.values() if s.header is not None]

    def read(self, most: int = 10_000, most_bytes: int = 8 << 20) -> list[Record]:
        """The next records, at most `most`, or about `most_bytes`; empty where nothing is new.

        Raises:
            FormatError: a segment was written for a newer reader.
        """
        self._look()
        records: list[Record] = []
        size = 0
        while len(records) < most and size < most_bytes:
            segment = self._next_segment()
            if segment is None:
                break
            record, after = segment.parsed.popleft()
            size += after - self.position.offsets.get(segment.name, 0)
            self.position.offsets[segment.name] = after
            last = self.position.seqs.get(segment.writer, 0)
            if record.seq <= last:
                continue  # written twice after a failed write
            if record.seq > last + 1:
                self.damage.append(
                    Damage(segment.name, missing=record.seq - last - 1, message="records missing")
                )
            self.position.seqs[segment.writer] = record.seq
            records.append(record)
        return records

    def _look(self) -> None:
        """Notice new segments."""
        try:
            mtime = os.stat(self.folder).st_mtime_ns
        except FileNotFoundError:
            return
        if mtime == self._seen_mtime:
            return
        for entry in sorted(os.scandir(self.folder), key=lambda entry: entry.name):
            name, dot, suffix = entry.name.rpartition(".")
            if (
                dot
                and suffix == "rcj"
                and name not in self._segments
                and entry.is_file(follow_symlinks=False)
            ):
                offset = self.position.offsets.get(name, 0)
                self._segments[name] = _Segment(Path(entry.path), offset)
        self._seen_mtime = mtime

    def _next_segment(self) -> _Segment | None:
        """The segment whose next record is due."""
        best: _Segment | None = None
        best_key: tuple[int, int, str] = (0, 0, "")
        busy: set[str] = set()  # an earlier segment of this writer still has records
        for segment in self._segments.values():  # by name: a writer's segments in order
            if segment.writer in busy:
                continue
            if not segment.parsed and not (segment.fill(self.damage) and segment.parsed):
                continue
            busy.add(segment.writer)
            header = segment.header
            key = (header.generation if header else 0, segment.parsed[0][0].time, segment.name)
            if best is None or key < best_key:
                best, best_key = segment, key
        return best


def read_run(folder: Path) -> Iterator[Record]:
    """Every record of the run whose folder this is, in order."""
    reader = JournalReader(folder / "journal")
    while records := reader.read():
        yield from records

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

import heapq
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runcast.errors import JournalError
from runcast.journal.frame import Header
from runcast.journal.layout import segment_paths
from runcast.journal.segment import Damage, Segment
from runcast.records import Record


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


class _Stream:
    """One writer's segments, in order."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []

    def add(self, segment: Segment) -> None:
        self._segments.append(segment)
        # By the number itself: in the file's name it is too short beyond 9999.
        self._segments.sort(key=lambda segment: (segment.number, segment.name))

    def head(self) -> Segment | None:
        """The segment whose next item is due, or None where nothing new is whole."""
        for segment in self._segments[:]:
            if segment.parsed or segment.fill():
                return segment
            if segment.number < self._segments[-1].number:
                # Its writer went on to a later one before this was read to the end: no more will come.
                self._segments.remove(segment)
        return None


_Key = tuple[int, int, bool, str]


def _due(segment: Segment) -> _Key:
    """What comes first: the earlier generation, then the earlier time; what is no record at once.

    A courier's last word for a dead process bears the time of that process's last record: it comes after.
    """
    record = segment.parsed[0][1]
    time = record.time if record is not None else 0
    return segment.generation, time, segment.courier, segment.writer


class JournalReader:
    """Reads one run's segments, from a position on, as often as asked.

    Args:
        folder: the run's journal folder.
        position: where to begin; it moves as records are given out.
        run: the run's id; where it is given, segments of other runs are passed over and reported.
    """

    def __init__(self, folder: Path, position: Position | None = None, *, run: str | None = None) -> None:
        self.folder = folder
        self.position = position or Position()
        self.damage: list[Damage] = []
        """What was found unreadable up to `position`; the caller may empty it."""
        self.drained = False
        """Whether the last `read` gave out everything that was there."""
        self._run = run
        self._segments: dict[str, Segment] = {}
        self._unopened: list[Segment] = []
        self._streams: dict[str, _Stream] = {}

    def segments(self) -> list[Header]:
        """Headers of the segments seen so far."""
        return [s.header for s in self._segments.values() if s.header is not None]

    def read(self, most: int = 10_000, most_bytes: int = 8 << 20) -> list[Record]:
        """The next records, at most `most`, or about `most_bytes`; empty where nothing is new.

        Raises:
            FormatError: a segment was written for a newer reader.
            JournalError: a segment cannot be read.
        """
        self._look()
        heap = [
            (_due(segment), segment, stream)
            for stream in self._streams.values()
            if (segment := stream.head()) is not None
        ]
        heapq.heapify(heap)  # no two keys are equal, because the writers differ
        records: list[Record] = []
        while heap and len(records) < most and most_bytes > 0:
            _, segment, stream = heapq.heappop(heap)
            most_bytes -= self._take(segment, heap[0][0] if heap else None, records, most, most_bytes)
            try:
                head = stream.head()
            except JournalError:
                if records:  # the position is past them; the error comes again
                    self.drained = False
                    return records
                raise
            if head is not None:
                heapq.heappush(heap, (_due(head), head, stream))
        self.drained = not heap
        return records

    def _take(
        self, segment: Segment, other: _Key | None, records: list[Record], most: int, most_bytes: int
    ) -> int:
        """Move over what is due before the `other` writer's next; gives its size in bytes."""
        parsed = segment.parsed
        last = self.position.seqs.get(segment.writer, 0)
        start = after = self.position.offsets.get(segment.name, 0)
        while parsed and len(records) < most and after - start < most_bytes:
            if other is not None and _due(segment) > other:
                break
            seq, record, after, damage = parsed.popleft()
            if seq:
                if seq <= last:
                    continue  # written twice after a failed write
                if seq > last + 1:
                    gap = Damage(segment.name, missing=seq - last - 1, message="records missing")
                    self.damage.append(gap)
                last = seq
            if damage is not None:
                self.damage.append(damage)
            if record is not None:
                records.append(record)
        self.position.offsets[segment.name] = after
        if last:
            self.position.seqs[segment.writer] = last
        return after - start

    def _look(self) -> None:
        """Notice new segments."""
        names = self._names()
        if names - self._segments.keys():
            # A listing may miss a file that is made meanwhile and yet show a later one; two that are
            # equal do not. An earlier segment read after a later one would count as written twice.
            while (again := self._names()) != names:
                names = again
            for name in sorted(names - self._segments.keys()):
                offset = self.position.offsets.get(name, 0)
                segment = Segment(self.folder / f"{name}.rcj", offset, self._run)
                self._segments[name] = segment
                self._unopened.append(segment)
        for segment in self._unopened[:]:
            if segment.open():
                self._unopened.remove(segment)
                self._streams.setdefault(segment.writer, _Stream()).add(segment)

    def _names(self) -> set[str]:
        return {path.stem for path in segment_paths(self.folder)}


def read_run(folder: Path) -> Iterator[Record]:
    """Every record of the run whose folder this is, in order."""
    reader = JournalReader(folder / "journal", run=folder.name)
    while records := reader.read():
        yield from records

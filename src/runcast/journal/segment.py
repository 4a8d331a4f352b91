"""One file of a journal: from bytes to items, chunk by chunk, with damage told apart from a torn tail."""

from __future__ import annotations

import os
from collections import deque
from io import FileIO
from pathlib import Path

import msgspec

from runcast import codec
from runcast.errors import FormatError, JournalError
from runcast.journal.frame import HEAD, LONGEST, Header, promised, seed, unframe, unframe_header, unframe_many
from runcast.records import Record

CHUNK = 1 << 20
HEADER_BYTES = 64 << 10
"""A first line is shorter than this."""


class Damage(msgspec.Struct, frozen=True):
    """Something unreadable: bytes [start, end) of a segment, or `missing` records of a writer.

    Attributes:
        segment: the file's name without ``.rcj``.
        start, end: where, in bytes; both 0 where only the numbers tell.
        missing: records that are not there, by their numbers.
        unknown: records that are whole, but of a kind that this version does not know.
        message: for people.
    """

    segment: str
    start: int = 0
    end: int = 0
    missing: int = 0
    unknown: int = 0
    message: str = ""


Item = tuple[int, Record | None, int, Damage | None]
"""Number (0: no record), record, offset behind it, what was wrong."""

_set = msgspec.structs.force_setattr


class Segment:
    """One file, read from an offset on.

    Attributes:
        header: None until the first line is whole.
        writer, number, generation, courier: from the header.
        parsed: what was read and not yet taken.
    """

    def __init__(self, path: Path, offset: int, run: str | None = None) -> None:
        self.path = path
        self.name = path.stem
        self.header: Header | None = None
        self.parsed: deque[Item] = deque()
        self._offset = offset  # of the first byte not yet parsed
        self._run = run
        self.writer = ""
        self.number = 0
        self.generation = 0
        self.courier = False
        self._seed = 0
        self._suspect = -1  # start of bad lines that no good line has followed yet
        self._foreign = False

    def open(self) -> bool:
        """Read the first line; False while it is not whole.

        Raises:
            FormatError: written for newer readers.
            JournalError: the file cannot be read.
        """
        file = self._file()
        if file is None:
            return False
        with file:
            head = file.read(HEADER_BYTES)
        line, newline, _ = head.partition(b"\n")
        if not newline and len(head) < HEADER_BYTES:
            return False
        after = len(line) + 1
        try:
            self.header = unframe_header(line)
        except FormatError as error:
            raise FormatError(f"{self.path}: {error}") from error
        except JournalError as error:
            # The file's name holds the writer and the number too, so the records can still be told.
            writer, _, number = self.name.rpartition("-")
            self.header = Header(run="", writer=writer, segment=int(number) if number.isdecimal() else 0)
            self._found(after, str(error))
        if self._run is not None and self.header.run not in (self._run, ""):
            self._foreign = True
            self._found(after, f"not of this run, but of {self.header.run}: passed over")
        self.writer = self.header.writer
        self.number = self.header.segment
        self.generation = self.header.generation
        self.courier = self.header.courier
        self._seed = seed(self.writer)
        self._offset = max(self._offset, after)
        return True

    def _found(self, end: int, message: str) -> None:
        if self._offset == 0:  # else it was told before
            self.parsed.append((0, None, end, Damage(self.name, 0, end, message=message)))

    def fill(self) -> bool:
        """Parse on until there is something to take; False where nothing new is whole."""
        while not self.parsed and not self._foreign:
            data = self._read()
            end = data.rfind(b"\n") + 1
            if end == 0:
                return False
            self._parse(data[: end - 1])
        return bool(self.parsed)

    def _read(self) -> bytes:
        file = self._file()
        if file is None:
            return b""
        with file:
            while True:
                file.seek(self._offset)
                data = file.read(CHUNK)
                if len(data) < CHUNK or b"\n" in data:
                    return data
                if line := self._long_line(file, data[:HEAD]):
                    return line
                if not self._pass_over(file):
                    return b""  # the tail: the rest of the line may still come

    def _long_line(self, file: FileIO, head: bytes) -> bytes:
        """A line longer than a chunk, where it is as long as its head says."""
        length = HEAD + promised(head) + 1
        if not HEAD < length <= min(LONGEST, os.fstat(file.fileno()).st_size - self._offset):
            return b""
        file.seek(self._offset)
        data = file.read(length)
        return data if data.endswith(b"\n") else b""

    def _pass_over(self, file: FileIO) -> bool:
        """Go behind a bad line of any length without keeping it; False where it has no end."""
        place = self._offset
        file.seek(place)
        while chunk := file.read(CHUNK):
            if found := chunk.find(b"\n") + 1:
                if self._suspect < 0:
                    self._suspect = self._offset
                self._offset = place + found
                return True
            place += len(chunk)
        return False

    def _file(self) -> FileIO | None:
        try:
            return FileIO(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            # To pass over it would lose it for ever, because later numbers follow.
            raise JournalError(f"cannot read {self.path}: {error.strerror}") from error

    def _parse(self, data: bytes) -> None:
        lines = data.split(b"\n")
        if self._suspect >= 0 or not self._parse_sound(lines):
            self._parse_each(lines)

    def _parse_sound(self, lines: list[bytes]) -> bool:
        """Take lines all of which are records; False where one of them is something else."""
        whole = unframe_many(lines, self._seed)
        records = codec.decode_many(whole[1]) if whole is not None else None
        if whole is None or records is None:
            return False
        place, writer, take = self._offset, self.writer, self.parsed.append
        for line, seq, record in zip(lines, whole[0], records, strict=True):
            place += len(line) + 1
            _set(record, "writer", writer)
            _set(record, "seq", seq)
            take((seq, record, place, None))
        self._offset = place
        return True

    def _parse_each(self, lines: list[bytes]) -> None:
        place = self._offset
        for line in lines:
            after = place + len(line) + 1
            whole = unframe(line, self._seed)
            if whole is not None:
                if self._suspect >= 0:
                    skipped = Damage(self.name, self._suspect, place, message="damaged bytes skipped")
                    self.parsed.append((0, None, place, skipped))
                    self._suspect = -1
                self.parsed.append(self._item(*whole, place, after))
            elif self._suspect < 0:
                self._suspect = place
            place = after
        self._offset = place

    def _item(self, seq: int, payload: bytes, start: int, after: int) -> Item:
        try:
            record = codec.decode(payload)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            message = f"record {seq} is not one that this version knows, and was passed over: {error}"
            return seq, None, after, Damage(self.name, start, after, unknown=1, message=message)
        _set(record, "writer", self.writer)
        _set(record, "seq", seq)
        return seq, record, after, None

"""The two ends of a segment, without reading what is between."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from runcast import codec
from runcast.errors import JournalError
from runcast.journal.frame import LONGEST, Header, seed, unframe, unframe_header
from runcast.journal.segment import HEADER_BYTES
from runcast.records import Record

_TAIL = 64 << 10


class Ends(msgspec.Struct, frozen=True):
    """What a segment begins and ends with; `last` holds the whole records of its last 64 KiB, in order."""

    header: Header
    first: Record | None
    last: list[Record]


def ends(path: Path) -> Ends | None:
    """The ends of a segment, or None where its first line is unreadable."""
    with path.open("rb") as file:
        try:
            header = unframe_header(file.readline(HEADER_BYTES)[:-1])
        except JournalError:
            return None
        start = seed(header.writer)
        behind_header = file.tell()
        first = _record(file.readline(LONGEST), start)
        size = file.seek(0, os.SEEK_END)
        last: list[Record] = []
        length = _TAIL
        while not last:
            place = max(behind_header, size - length)
            file.seek(place)
            lines = file.read(length).split(b"\n")[:-1]
            last = [r for line in lines if (r := _record(line + b"\n", start)) is not None]
            if place == behind_header or length >= LONGEST:
                break
            length *= 16  # the last record alone may be longer than the tail
    return Ends(header, first, last)


def _record(line: bytes, start: int) -> Record | None:
    whole = unframe(line[:-1], start) if line.endswith(b"\n") else None
    if whole is None:
        return None
    try:
        return codec.decode(whole[1])
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError):
        return None

"""The two ends of a segment, without reading what is between."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from runcast import codec
from runcast.errors import JournalError
from runcast.journal.frame import Header, seed, unframe, unframe_header
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
            header = unframe_header(file.readline()[:-1])
        except JournalError:
            return None
        start = seed(header.writer)
        behind_header = file.tell()
        first = _record(file.readline(), start)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(behind_header, size - _TAIL))
        lines = file.read().split(b"\n")[:-1]
        if size > _TAIL and not any(_record(line + b"\n", start) for line in lines[-1:]):
            # The last record alone may be longer than the tail; this is rare enough to read it all.
            file.seek(behind_header)
            lines = file.read().split(b"\n")[:-1]
    records = (_record(line + b"\n", start) for line in lines)
    return Ends(header, first, [record for record in records if record is not None])


def _record(line: bytes, start: int) -> Record | None:
    whole = unframe(line[:-1], start) if line.endswith(b"\n") else None
    if whole is None:
        return None
    try:
        return codec.decode(whole[1])
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
        return None

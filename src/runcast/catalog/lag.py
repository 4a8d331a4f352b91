"""Whether the catalog has everything that a run's journal has, without reading the journal."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from runcast.catalog.rows import load_marks, number_of
from runcast.errors import JournalError
from runcast.journal.frame import seed, unframe, unframe_header
from runcast.journal.layout import Layout, segment_paths
from runcast.journal.segment import HEADER_BYTES

_TAIL = 64 << 10


def is_behind(connection: sqlite3.Connection, layout: Layout, run: str) -> bool:
    """Whether some segment of the run ends with a record that the catalog has not."""
    n = number_of(connection, run)
    if n is None:
        return True
    known = load_marks(connection, n)
    for segment in segment_paths(layout.journal(run)):
        writer, number = _last(segment)
        if number > (known[writer].seq if writer in known else 0):
            return True
    return False


def _last(segment: Path) -> tuple[str, int]:
    """The writer of a segment, and the number of its last whole record."""
    try:
        with segment.open("rb") as file:
            writer = unframe_header(file.readline(HEADER_BYTES)[:-1]).writer
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")[:-1]
    except (OSError, JournalError):
        return "", 0  # reading it tells more
    for line in reversed(lines):
        if (whole := unframe(line, seed(writer))) is not None:
            return writer, whole[0]
    # A record longer than the tail: look closer. Nothing but the header: nothing was said.
    return writer, sys.maxsize if size > _TAIL else 0

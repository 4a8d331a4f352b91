"""The append-only log of one run: written by `JournalWriter`, read by `JournalReader`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runcast.journal.fileops import FileOps, sync_names, write_atomically
from runcast.journal.frame import Header
from runcast.journal.layout import Layout, is_run_id, make_private, segment_paths
from runcast.journal.liveness import ProcessLock, is_alive
from runcast.journal.writer import JournalWriter

if TYPE_CHECKING:
    from runcast.journal.blobs import Blobs
    from runcast.journal.held import digest, held_bytes, hold, hold_bytes, hold_copy, settle
    from runcast.journal.reader import JournalReader, Position, read_run
    from runcast.journal.segment import Damage
    from runcast.journal.tail import Ends, ends

__all__ = [
    "Blobs",
    "Damage",
    "Ends",
    "FileOps",
    "Header",
    "JournalReader",
    "JournalWriter",
    "Layout",
    "Position",
    "ProcessLock",
    "digest",
    "ends",
    "held_bytes",
    "hold",
    "hold_bytes",
    "hold_copy",
    "is_alive",
    "is_run_id",
    "make_private",
    "read_run",
    "segment_paths",
    "settle",
    "sync_names",
    "write_atomically",
]

_LAZY = {
    "Blobs": "blobs",
    "Damage": "segment",
    "Ends": "tail",
    "JournalReader": "reader",
    "Position": "reader",
    "ends": "tail",
    "read_run": "reader",
}
"""Name → its module, loaded when it is asked for: a script that only logs neither reads nor keeps files."""


def __getattr__(name: str) -> Any:
    """Load what the writing end does not need when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'runcast.journal' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"runcast.journal.{_LAZY.get(name, 'held')}"), name)
    return value

"""The append-only log of one run: written by `JournalWriter`, read by `JournalReader`."""

from runcast.journal.blobs import Blobs
from runcast.journal.fileops import FileOps, sync_names, write_atomically
from runcast.journal.frame import Header
from runcast.journal.held import digest, held_bytes, hold, hold_bytes, hold_copy, settle
from runcast.journal.layout import Layout, is_run_id, make_private, segment_paths
from runcast.journal.liveness import ProcessLock, is_alive
from runcast.journal.reader import JournalReader, Position, read_run
from runcast.journal.segment import Damage
from runcast.journal.tail import Ends, ends
from runcast.journal.writer import JournalWriter

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

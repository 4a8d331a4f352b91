"""W&B's transaction log (``run-<id>.wandb``), read and written without W&B's client.

`append` gives the bytes of a record, `read` every record of a file. Nothing here looks at a clock or rolls
dice: the same records make the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runcast.formats.wandb_log.decode import decode
from runcast.formats.wandb_log.encode import encode, history
from runcast.formats.wandb_log.entries import (
    SUMMARIES,
    Artifact,
    Config,
    Entry,
    Environment,
    Exit,
    Files,
    Gpu,
    Header,
    History,
    ManifestEntry,
    Metric,
    Other,
    Output,
    Run,
    Stats,
    Summary,
)
from runcast.formats.wandb_log.framing import BLOCK, FILE_HEADER, Damage, frame, payloads

__all__ = [
    "BLOCK",
    "FILE_HEADER",
    "SUMMARIES",
    "Artifact",
    "Config",
    "Damage",
    "Entry",
    "Environment",
    "Exit",
    "Files",
    "Gpu",
    "Header",
    "History",
    "ManifestEntry",
    "Metric",
    "Other",
    "Output",
    "Run",
    "Stats",
    "Summary",
    "append",
    "decode",
    "encode",
    "frame",
    "history",
    "payloads",
    "read",
    "scan",
]


def append(entry: Entry, num: int, position: int) -> bytes:
    """The bytes that append a record to a log of `position` bytes; see `encode` and `frame`."""
    return frame(encode(entry, num), position)


def scan(log: bytes) -> Iterator[Entry | Damage]:
    """Every record of a log's bytes that can be read, and what could not be."""
    for payload in payloads(log):
        if isinstance(payload, Damage):
            yield payload
            continue
        try:
            yield decode(payload)[1]
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            yield Damage(-1, f"a record that cannot be decoded: {error}")


def read(path: Path) -> Iterator[Entry | Damage]:
    """Every record of a file; see `scan`.

    Raises:
        OSError: the file cannot be read.
    """
    yield from scan(path.read_bytes())

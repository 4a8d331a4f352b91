"""W&B's transaction log (``run-<id>.wandb``), read and written without W&B's client.

`append` gives the bytes of a record, `read` every record of a file. Nothing here looks at a clock or rolls
dice: the same records make the same file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from runcast.formats.wandb_log.decode import decode
from runcast.formats.wandb_log.encode import Row, encode, histories
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
from runcast.formats.wandb_log.fast import kind_of, leaves, row, rows
from runcast.formats.wandb_log.framing import BLOCK, FILE_HEADER, Damage, frame, frames, payloads

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
    "Row",
    "Run",
    "Stats",
    "Summary",
    "append",
    "decode",
    "encode",
    "entry",
    "frame",
    "frames",
    "histories",
    "kind_of",
    "leaves",
    "payloads",
    "read",
    "row",
    "rows",
    "scan",
]


def append(entry: Entry, num: int, position: int) -> bytes:
    """The bytes that append a record to a log of `position` bytes; see `encode` and `frame`."""
    return frame(encode(entry, num), position)


def scan(log: bytes) -> Iterator[Entry | Damage]:
    """Every record of a log's bytes that can be read, and what could not be."""
    yield from _decoded(payloads(io.BytesIO(log)))


def read(path: Path, size: int | None = None) -> Iterator[Entry | Damage]:
    """Every record of a file; see `scan` and `payloads`. Memory does not grow with its length.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as log:
        yield from _decoded(payloads(log, size))


def _decoded(found: Iterable[bytes | Damage]) -> Iterator[Entry | Damage]:
    for payload in found:
        yield payload if isinstance(payload, Damage) else entry(payload)


def entry(payload: bytes) -> Entry | Damage:
    """What a payload says, or why it cannot be understood."""
    try:
        return decode(payload)[1]
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        return Damage(-1, f"a record that cannot be decoded: {error}")

"""What a run logged, read back from its journal and its blobs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

import runcast
from runcast.journal import Blobs, Layout, read_run, settle
from runcast.records import FileRef, Lost, Media

LATER: dict[str, Any] = {"delivery": "later"}


def blobs() -> Blobs:
    """The project's store."""
    return Blobs(Layout(".runcast").blobs)


def logged(run: runcast.Run) -> list[Media]:
    """Every media record, as backends get it."""
    records = read_run(Layout(".runcast").run(run.id))
    return [settle(record, blobs()) for record in records if isinstance(record, Media)]


def lost(run: runcast.Run) -> list[Lost]:
    """Everything that was reported."""
    return [record for record in read_run(Layout(".runcast").run(run.id)) if isinstance(record, Lost)]


def path_of(file: FileRef) -> Path:
    """The blob of a file."""
    return blobs().path(file.sha256)


def array_of(file: FileRef) -> Any:
    """The array in a file; loaded as any reader would, without pickles."""
    return np.load(io.BytesIO(path_of(file).read_bytes()), allow_pickle=False)


def log(run: runcast.Run, value: Any) -> Media:
    """Log one value and read its only record back."""
    before = len(logged(run))
    run.log({"v": value})
    (record,) = logged(run)[before:]
    return record

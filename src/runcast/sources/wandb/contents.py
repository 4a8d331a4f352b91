"""Content of files, from where W&B has it into the store of the one who reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runcast.journal import Blobs
from runcast.records import FileRef, Lost
from runcast.sources.wandb.about import HeldFile


def put(blobs: Blobs, file: FileRef, place: Path | None, time: int, where: str) -> Iterator[Lost]:
    """A content whose digest is known; a `Lost` where it is gone or another."""
    if file.uri or not file.sha256:
        return
    if place is None:
        yield Lost(time=time, key=file.path, reason=f"its content is not among {where} (any more)")
        return
    try:
        digest, _ = blobs.put_file(place)
    except OSError as error:
        yield Lost(time=time, key=file.path, reason=f"its content cannot be read: {error.strerror or error}")
        return
    if digest != file.sha256:
        yield Lost(time=time, key=file.path, reason=f"its content among {where} is another than was logged")


def put_held(blobs: Blobs, file: FileRef, held: HeldFile | None, time: int, owner: str) -> Iterator[Lost]:
    """A file of an artifact, as `put`."""
    yield from put(blobs, file, held.fetch() if held else None, time, f"the files of {owner}")


def take(blobs: Blobs, path: str, place: Path) -> FileRef:
    """A content whose digest is not known yet.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = blobs.put_file(place)
    return FileRef(path, digest, size)


def make(blobs: Blobs, path: str, content: bytes) -> FileRef:
    """A content that was made here."""
    digest, size = blobs.put_bytes(content)
    return FileRef(path, digest, size)

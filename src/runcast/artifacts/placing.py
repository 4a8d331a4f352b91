"""Files out of the store, each compared with its digest, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from runcast.errors import JournalError
from runcast.journal.blobs import CHUNK


def linked(origin: Path, target: Path, sha256: str) -> None:
    """The store's own file under another name; a copy where the file system cannot.

    Raises:
        JournalError: it is gone, or is not what the digest says.
    """
    _check(origin, sha256)
    try:
        os.link(origin, target)
    except FileExistsError:
        return
    except OSError:
        copied(origin, target, sha256)


def symlinked(origin: Path, target: Path, sha256: str) -> None:
    """A link to a file that stays where it is.

    Raises:
        JournalError: it is not what the digest says.
    """
    _check(origin, sha256)
    target.symlink_to(origin)


def copied(origin: Path, target: Path, sha256: str) -> None:
    """A copy of its own, by the kernel, which shares blocks where the file system can.

    Raises:
        JournalError: it is gone, or is not what the digest says.
    """
    draft = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        try:
            with origin.open("rb") as source, draft.open("xb") as copy:
                _move(source.fileno(), copy.fileno(), origin.stat().st_size)
        except FileNotFoundError as error:
            raise JournalError(f"{origin} is gone from the store: {target.name} cannot be made") from error
        _check(draft, sha256, origin)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _move(origin: int, target: int, size: int) -> None:
    done = 0
    try:
        while done < size and (part := os.copy_file_range(origin, target, min(size - done, 1 << 30))):
            done += part
    except OSError:
        while chunk := os.read(origin, CHUNK):  # two file systems; both stand where the kernel left off
            os.write(target, chunk)


def _check(path: Path, sha256: str, named: Path | None = None) -> None:
    if not sha256:
        return  # a reference whose digest nobody knows
    sha = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                sha.update(chunk)
    except FileNotFoundError as error:
        raise JournalError(f"{named or path} is gone from the store") from error
    if sha.hexdigest() != sha256:
        raise JournalError(
            f"{named or path} is not what was logged: its digest is {sha.hexdigest()[:12]}… instead of "
            f"{sha256[:12]}…; was a file changed that was logged with immutable=True?"
        )

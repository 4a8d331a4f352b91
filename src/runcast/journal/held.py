"""Snapshots of large files, taken without reading them; the courier reads them later.

On a file system that shares blocks (Btrfs, XFS, ZFS) a clone costs nothing and is independent of the
original. A hard link is as cheap anywhere, but is the same file: it is for files that the caller calls
immutable. Where neither will do, `hold_copy` lets the kernel copy it. Each stands in ``blobs/held/`` under
a random name, and the record names that instead of a digest. `settle` reads it, gives it its place among
the blobs, and puts the digest into the record.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from runcast.journal.blobs import CHUNK, Blobs
from runcast.journal.fileops import write_atomically
from runcast.journal.layout import make_private
from runcast.records import FileRef, Metrics, Record, files_of

FICLONE = 0x40049409
"""``ioctl`` of Linux that makes one file share another's blocks (linux/fs.h)."""
GONE = "0" * 64
"""Digest of a snapshot that is not there any more: no blob has it, so that backends report it as missing."""
_NAME = re.compile(r"[0-9a-f]{32}")
_NOTE = re.compile(rb"([0-9a-f]{64}) (\d{1,18})")
_LOOK = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_R = TypeVar("_R", bound=Any)


def hold(source: Path, blobs: Blobs, *, immutable: bool = False) -> tuple[str, int] | None:
    """Take a snapshot of a file without reading it.

    Args:
        source: a plain file, or a link to one.
        blobs: the store.
        immutable: nobody will ever write into this file again (replacing and deleting it is fine).

    Returns:
        The snapshot's name and its size in bytes; None where this file system can do neither, so that the
        file must be copied.

    Raises:
        OSError: it cannot be read, or is no plain file.
    """
    folder = blobs.root / "held"
    make_private(folder)
    target = folder / os.urandom(16).hex()
    origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(origin)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no plain file", str(source))
        if (size := _clone(origin, target)) is not None:
            return target.name, size
        if immutable:
            with contextlib.suppress(OSError):  # another file system, or somebody else's file
                os.link(Path(source).resolve(), target)
                return target.name, found.st_size
    finally:
        os.close(origin)
    return None


def hold_bytes(blobs: Blobs, *parts: bytes | memoryview) -> tuple[str, int]:
    """Write bytes without digesting them, which takes as long as writing; gives what `hold` gives.

    Raises:
        OSError: the disk is full, say.
    """
    folder = blobs.root / "held"
    make_private(folder)
    target = folder / os.urandom(16).hex()
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
    except BaseException:
        target.unlink()
        raise
    return target.name, sum(len(part) for part in parts)


def hold_copy(source: Path, blobs: Blobs) -> tuple[str, int]:
    """Copy a file at the disk's speed: the kernel moves the bytes, and nobody computes a digest yet.

    What somebody appends meanwhile is left out.

    Returns:
        The snapshot's name and its size in bytes, which is smaller than the file was where it shrank.

    Raises:
        OSError: it cannot be read, or is no plain file, or the disk is full.
    """
    folder = blobs.root / "held"
    make_private(folder)
    target = folder / os.urandom(16).hex()
    origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(origin)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no plain file", str(source))
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        try:
            size = _move(origin, fd, found.st_size)
        except BaseException:
            target.unlink()
            raise
        finally:
            os.close(fd)
    finally:
        os.close(origin)
    return target.name, size


def _move(origin: int, target: int, size: int) -> int:
    done = 0
    try:
        while done < size and (part := os.copy_file_range(origin, target, min(size - done, 1 << 30))):
            done += part
    except OSError as error:
        if done or error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        while done < size and (part := os.sendfile(target, origin, None, min(size - done, 1 << 30))):
            done += part
    return done


def _clone(origin: int, target: Path) -> int | None:
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        fcntl.ioctl(fd, FICLONE, origin)
        return os.fstat(fd).st_size
    except OSError:
        target.unlink()
        return None
    finally:
        os.close(fd)


def digest(files: list[FileRef]) -> str:
    """sha256 over the sorted (path, sha256) pairs: the identity of an artifact's content.

    A reference without a digest counts by its URI.
    """
    sha = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        sha.update(f"{file.path}\0{file.sha256 or file.uri}\n".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()


def held_bytes(record: Record) -> int:
    """How many bytes `settle` may have to read for this record."""
    return 0 if type(record) is Metrics else sum(file.size for file in files_of(record) if file.held)


def settle(record: _R, blobs: Blobs) -> _R:
    """The record with the digest of every file that was only held; as it was where there is none.

    Every caller gets the same answer, and only the first one reads the file.

    Raises:
        OSError: a snapshot cannot be read, or the disk is full.
    """
    if type(record) is Metrics or not any(file.held for file in files_of(record)):
        return record
    changes: dict[str, Any] = {}
    if getattr(record, "file", None) is not None:
        changes["file"] = _settled(record.file, blobs)
    if getattr(record, "files", None):
        changes["files"] = [_settled(file, blobs) for file in record.files]
        if getattr(record, "digest", None) == "":
            changes["digest"] = digest(changes["files"])
    settled: _R = msgspec.structs.replace(record, **changes)
    return settled


def _settled(file: FileRef, blobs: Blobs) -> FileRef:
    if not file.held:
        return file
    folder = blobs.root / "held"
    if not _NAME.fullmatch(file.held) or folder.is_symlink():  # a forged journal
        return FileRef(file.path, GONE, file.size)
    path = folder / file.held
    note = path.with_suffix(".sha256")
    sha256, size = _noted(note) or _read(path, note, blobs)
    return FileRef(file.path, sha256, size)


def _noted(note: Path) -> tuple[str, int] | None:
    """Digest and size that somebody has found; None where nobody has, or the note is damaged."""
    try:
        fd = os.open(note, _LOOK)
    except OSError:
        return None
    with os.fdopen(fd, "rb", buffering=0) as file:
        whole = _NOTE.fullmatch(file.read(200)) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    return (whole[1].decode(), int(whole[2])) if whole else None


def _read(path: Path, note: Path, blobs: Blobs) -> tuple[str, int]:
    try:
        fd = os.open(path, _LOOK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):  # another process was faster; or a forged link
            return _noted(note) or (GONE, 0)
        raise
    with os.fdopen(fd, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return GONE, 0
        fcntl.flock(file, fcntl.LOCK_EX)
        if known := _noted(note):
            return known
        sha, length = hashlib.sha256(), 0
        while chunk := file.read(CHUNK):
            sha.update(chunk)
            length += len(chunk)
        target = blobs.path(sha.hexdigest())
        if target.parent.is_symlink():
            return GONE, 0
        make_private(target.parent)
        with contextlib.suppress(FileExistsError):
            os.link(path, target)
        write_atomically(note, f"{sha.hexdigest()} {length}".encode())
        path.unlink()
    return sha.hexdigest(), length

"""The door from the journal's writers to the disk, so that tests can make the disk fail."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

OWN_FOLDERS = 4
"""``<dir>/runs/<run>/journal``, and the folder in which ``<dir>`` stands."""


class FileOps:
    """Plain system calls. A test subclasses this and fails or shortens any of them.

    ``write(fd, data)`` gives the number of bytes written, which may be fewer than asked.
    """

    def create(self, path: Path) -> int:
        """Open a new file for appending, private to the user; it must not exist yet."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, 0o600)

    write = staticmethod(os.write)  # as it is, because each record passes here

    def sync(self, fd: int) -> None:
        """Bring the file's data to the disk itself."""
        os.fdatasync(fd)

    def close(self, fd: int) -> None:
        """Give the descriptor back."""
        os.close(fd)

    def replace(self, source: Path, target: Path) -> None:
        """Rename over whatever stands at the target."""
        source.replace(target)

    def sync_path(self, path: Path) -> None:
        """Make a file's data, or the names in a folder, survive a loss of power."""
        sync_path(path)


def write_atomically(path: Path, data: bytes, ops: FileOps | None = None, *, sync: bool = True) -> None:
    """Replace a small file so that a reader, or a crash, sees the old or the new one, never a mix."""
    ops = ops or FileOps()
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    fd = ops.create(temporary)
    try:
        try:
            done = 0
            while done < len(data):
                done += ops.write(fd, data[done:])
            if sync:
                ops.sync(fd)
        finally:
            ops.close(fd)
        ops.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        ops.sync_path(path.parent)


def sync_names(folder: Path, ops: FileOps) -> None:
    """Make the names in a run's journal survive a loss of power, its new folders' own names included.

    A file that was synced is lost all the same where its name was not: POSIX lets a file system forget it.
    """
    for place in (folder, *list(folder.parents)[:OWN_FOLDERS]):
        with contextlib.suppress(PermissionError):  # somebody else's folder, so not new
            ops.sync_path(place)


def sync_path(path: Path) -> None:
    """Make a file's data, or the renames in a folder, survive a loss of power."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

"""The run's ``.wandb`` file, written so that saying the same twice changes nothing.

What is acknowledged is a length. Bytes behind it are left alone as long as the records that come again say
the same; at the first difference the file is cut there. So a redelivery does not even touch a file that
has been uploaded, and W&B's mark that it was (``.synced``) goes only when something new is written.
"""

from __future__ import annotations

import os
from pathlib import Path

from runcast.errors import Halt
from runcast.formats import wandb_log

PRODUCER = "runcast"


def private_folder(path: Path) -> None:
    """Make a folder and its missing parents, for the owner only."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _sync_names(folder: Path) -> None:
    # A new file survives a power loss only when the names that lead to it have reached the disk.
    for path in (folder, folder.parent, folder.parent.parent):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class LogFile:
    """A log that grows.

    Args:
        path: the ``.wandb`` file; made if missing, readable by its owner only.
        position: the acknowledged length.

    Raises:
        Halt: the file is someone else's, or shorter than what was acknowledged.
    """

    def __init__(self, path: Path, position: int) -> None:
        private_folder(path.parent / "files")
        if position and not path.exists():
            raise Halt(f"wandb: {path} is gone; put it back, or deliver the run anew")
        self._path = path
        self.position = position
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._length = os.fstat(self._descriptor).st_size
            if position > self._length:
                raise Halt(f"wandb: {path} is shorter than what was written; put the whole file back")
            self._check_owner()
            if not self._length:
                _sync_names(path.parent)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _check_owner(self) -> None:
        head = os.pread(self._descriptor, wandb_log.BLOCK, 0)
        first = next(iter(wandb_log.scan(head)), None) if len(head) > len(wandb_log.FILE_HEADER) else None
        if isinstance(first, wandb_log.Header) and not first.producer.startswith(PRODUCER):
            raise Halt(f"wandb: {self._path} was written by {first.producer}; move that folder away")

    @property
    def length(self) -> int:
        """Bytes that are there, acknowledged or not."""
        return self._length

    @property
    def synced(self) -> bool:
        """Whether W&B's client has marked the file, as it is, as uploaded."""
        return self._mark.exists()

    @property
    def _mark(self) -> Path:
        return self._path.with_name(self._path.name + ".synced")

    def rewind(self, position: int) -> None:
        """Go back to a length at which a record ended."""
        self.position = position

    def write(self, data: bytes) -> None:
        """Put bytes at the position, durably.

        Raises:
            OSError: the disk refused; what was there before the call is still acknowledged.
        """
        present = os.pread(self._descriptor, len(data), self.position)
        if present != data:
            # The mark first: a file without one is uploaded again, a changed file with one never.
            self._mark.unlink(missing_ok=True)
            os.ftruncate(self._descriptor, self.position)
            view, at = memoryview(data), self.position
            while view:
                done = os.pwrite(self._descriptor, view, at)
                view, at = view[done:], at + done
            os.fdatasync(self._descriptor)
            self._length = at
        self.position += len(data)

    def end(self) -> None:
        """Cut what is left behind the position."""
        if self._length > self.position:
            self._mark.unlink(missing_ok=True)
            os.ftruncate(self._descriptor, self.position)
            self._length = self.position

    def close(self) -> None:
        """Let go of the file; it stays as it is."""
        os.close(self._descriptor)

"""Files by their content: each is stored once under its sha256, read-only, and never changed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from pathlib import Path

from runcast.journal.fileops import FileOps, sync_names
from runcast.journal.layout import make_private

_DIGEST = re.compile("[0-9a-f]{64}")
CHUNK = 1 << 20
"""Bytes that are in memory of a file that is copied or digested."""


class Blobs:
    """The content-addressed store of one runcast directory.

    Args:
        root: its folder; made when the first content is stored.
        sync: bring each content to the disk itself before returning.
        ops: the door to the disk.
    """

    def __init__(self, root: Path, *, sync: bool = False, ops: FileOps | None = None) -> None:
        self.root = root
        self.ops = ops or FileOps()
        self._sync = sync

    def path(self, sha256: str) -> Path:
        """Where the content with this digest is, or would be."""
        return self.root / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        """Whether there is content under this digest: a plain file, and no link to somebody else's."""
        path = self.path(sha256)
        return (
            _DIGEST.fullmatch(sha256) is not None
            and path.is_file()
            and not path.is_symlink()
            and not path.parent.is_symlink()
        )

    def put_bytes(self, *parts: bytes | memoryview) -> tuple[str, int]:
        """Store bytes, whose parts need not be joined first; gives their sha256 and size."""
        sha = hashlib.sha256()
        for part in parts:
            sha.update(part)
        digest, size = sha.hexdigest(), sum(len(part) for part in parts)
        if self._holds(digest, size):
            self.secure(self.path(digest))
        else:
            fd, temporary = self._temporary()
            try:
                with os.fdopen(fd, "wb") as file:
                    file.writelines(parts)
                self._keep(temporary, digest)
            finally:
                temporary.unlink(missing_ok=True)
        return digest, size

    def put_file(self, source: Path) -> tuple[str, int]:
        """Copy a file, or what a link leads to, as it is now; at most a chunk of it is in memory.

        What somebody appends meanwhile is left out.

        Raises:
            OSError: it cannot be read, or is no plain file (a FIFO would block for ever).
        """
        origin = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(origin)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{source} is no plain file")
            fd, temporary = self._temporary()
            try:
                sha = hashlib.sha256()
                size = 0
                with os.fdopen(fd, "wb") as copy:  # buffered, because a bare write may be short
                    most = found.st_size or sys.maxsize  # the kernel's own files say 0
                    while size < most and (chunk := os.read(origin, min(CHUNK, most - size))):
                        sha.update(chunk)
                        size += len(chunk)
                        copy.write(chunk)
                if self._holds(sha.hexdigest(), size):
                    self.secure(self.path(sha.hexdigest()))
                else:
                    self._keep(temporary, sha.hexdigest())
            finally:
                temporary.unlink(missing_ok=True)
        finally:
            os.close(origin)
        return sha.hexdigest(), size

    def _holds(self, digest: str, size: int) -> bool:
        # The size too: a loss of power can leave an empty file under the right name.
        try:
            return self.path(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def _temporary(self) -> tuple[int, Path]:
        make_private(self.root)
        path = self.root / f".{os.getpid()}-{os.urandom(8).hex()}.tmp"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path

    def _keep(self, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        make_private(target.parent)
        temporary.chmod(0o400)
        if self._sync:
            self.ops.sync_path(temporary)  # before it can be found
        self.ops.replace(temporary, target)  # whoever stores the same at once brings the same bytes
        if self._sync:
            sync_names(target.parent, self.ops)

    def secure(self, path: Path) -> None:
        """Where that was asked for, bring a file that stands in the store to the disk itself."""
        if self._sync:
            self.ops.sync_path(path)
            sync_names(path.parent, self.ops)

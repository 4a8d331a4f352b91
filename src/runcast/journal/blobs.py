"""Files by their content: each is stored once under its sha256, read-only, and never changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from runcast.journal.layout import make_private

_CHUNK = 1 << 20


class Blobs:
    """The content-addressed store of one runcast directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the content with this digest is, or would be."""
        return self.root / sha256[:2] / sha256

    def put_bytes(self, data: bytes) -> tuple[str, int]:
        """Store bytes; gives their sha256 and size."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.path(digest).exists():
            fd, temporary = self._temporary()
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
                self._keep(temporary, digest)
            finally:
                temporary.unlink(missing_ok=True)
        return digest, len(data)

    def put_file(self, source: Path) -> tuple[str, int]:
        """Copy a file as it is now, never holding more than a chunk of it in memory.

        Raises:
            OSError: it cannot be read, or is no plain file (a FIFO would block for ever).
        """
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        with os.fdopen(os.open(source, flags), "rb", buffering=0) as origin:
            if not stat.S_ISREG(os.fstat(origin.fileno()).st_mode):
                raise OSError(f"{source} is no plain file")
            fd, temporary = self._temporary()
            try:
                sha = hashlib.sha256()
                size = 0
                with os.fdopen(fd, "wb", buffering=0) as copy:
                    while chunk := origin.read(_CHUNK):
                        sha.update(chunk)
                        size += len(chunk)
                        copy.write(chunk)
                self._keep(temporary, sha.hexdigest())
            finally:
                temporary.unlink(missing_ok=True)
        return sha.hexdigest(), size

    def _temporary(self) -> tuple[int, Path]:
        make_private(self.root)
        path = self.root / f".{os.getpid()}-{os.urandom(8).hex()}.tmp"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path

    def _keep(self, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        make_private(target.parent)
        temporary.chmod(0o400)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, target)

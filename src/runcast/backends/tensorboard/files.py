"""Files and folders that only their owner may read, and that are never seen half written."""

from __future__ import annotations

import os
from pathlib import Path

from runcast.formats.tfevents import FrameReader


def make_folder(folder: Path) -> None:
    """Create `folder` and the parents it lacks, all private."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however often the system stops short."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_whole(path: Path, data: bytes) -> None:
    """Make `path` hold `data`; a reader sees the old file or the new one."""
    temporary = path.with_name(f".runcast-{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)
    temporary.replace(path)


class EventFile:
    """The one file that a run's events are appended to.

    What stands behind the acknowledged length was written and never acknowledged. It is cut off and
    written again with the same bytes, so that a reader who follows the file sees no difference.

    Attributes:
        length: bytes of whole events.
        missing: acknowledged bytes that the file no longer has (a power failure, a deleted file).
    """

    def __init__(self, path: Path, acknowledged: int, header: bytes) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            size = os.fstat(self._descriptor).st_size
            self.length = acknowledged
            if size < acknowledged:
                with path.open("rb") as file:
                    reader = FrameReader(file)
                    for _ in reader:
                        pass
                self.length = reader.offset
            self.missing = acknowledged - self.length
            os.ftruncate(self._descriptor, self.length)
            os.lseek(self._descriptor, self.length, os.SEEK_SET)
            if not self.length:
                self.append(header)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, data: bytes) -> None:
        """Hand whole frames to the kernel."""
        write_all(self._descriptor, data)
        self.length += len(data)

    def sync(self) -> None:
        """Make what was appended survive a power failure."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Sync and let go."""
        try:
            self.sync()
        finally:
            os.close(self._descriptor)

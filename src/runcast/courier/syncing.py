"""What the courier brings to the disk itself, so that the training thread need not."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from pathlib import Path

from runcast.journal import FileOps, Layout, segment_paths, sync_names

UNSYNCED = 60.0
"""Seconds after which the kernel has written a file by itself (its own limit is half of it)."""


class Syncer:
    """Brings the segments that grew to the disk."""

    def __init__(self, layout: Layout, ops: FileOps | None = None) -> None:
        self._layout = layout
        self._ops = ops or FileOps()
        self._sizes: dict[Path, int] = {}

    def sync(self, run: str) -> bool:
        """Sync one run's segments that grew; True where any did."""
        grew = False
        folder = self._layout.journal(run)
        for path in segment_paths(folder):
            with contextlib.suppress(OSError):  # deleted; or a disk that fails, which the trainer says
                size = path.stat().st_size
                if size == self._sizes.get(path):
                    continue
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    self._ops.sync(fd)
                finally:
                    os.close(fd)
                if path not in self._sizes:
                    sync_names(folder, self._ops)
                self._sizes[path] = size
                grew = True
        return grew

    def forget(self, run: str) -> None:
        """The run is over."""
        folder = self._layout.journal(run)
        self._sizes = {path: size for path, size in self._sizes.items() if path.parent != folder}


class FileSyncer:
    """Brings new files of artifacts and media to the disk.

    It has a thread of its own, because a large file takes as long as it takes, and records must not wait
    for it. What is there when `wake` is called is safe when that thread has slept again.

    Args:
        layout: the runcast directory.
        ops: the door to the disk.
    """

    def __init__(self, layout: Layout, ops: FileOps | None = None) -> None:
        self._root = layout.blobs
        self._ops = ops or FileOps()
        self._oldest = time.time_ns() - int(UNSYNCED * 1e9)
        self._sizes: dict[Path, dict[str, int]] = {}
        self._changed: dict[Path, int] = {}
        self._news = threading.Condition()
        self._waiting = self._stopped = False
        self._thread: threading.Thread | None = None

    def sync(self) -> None:
        """Sync what is new since the last time."""
        try:
            # Every file is made in the root and renamed into its folder, but for snapshots.
            settled = self._has_settled(self._root)
            folders = [self._root / "held"] if settled else self._folders()
        except OSError:  # nobody has stored any
            return
        for folder in folders:
            try:
                if not folder.is_symlink() and not self._has_settled(folder):
                    self._sync_folder(folder)
            except OSError:  # a disk that fails now may not later
                for place in (folder, self._root):
                    self._changed.pop(place, None)

    def _folders(self) -> list[Path]:
        with os.scandir(self._root) as entries:
            return [Path(e.path) for e in entries if e.name[0] != "." and e.is_dir(follow_symlinks=False)]

    def _has_settled(self, folder: Path) -> bool:
        """Whether nothing has changed in a folder since the last look at it."""
        now, changed = time.time_ns(), folder.stat().st_mtime_ns
        if self._changed.get(folder) == changed:
            return True
        # Snapshots grow where they stand, and the clock of file systems is coarse: then look again.
        if folder.name != "held" and abs(now - changed) > 10**9:
            self._changed[folder] = changed
        return False

    def _sync_folder(self, folder: Path) -> None:
        known, found, any_new = self._sizes.get(folder, {}), dict[str, int](), False
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # a snapshot that was settled meanwhile
                    info = entry.stat(follow_symlinks=False)
                    fresh = known.get(entry.name) != info.st_size and info.st_ctime_ns >= self._oldest
                    if fresh and stat.S_ISREG(info.st_mode):
                        self._ops.sync_path(Path(entry.path))
                        any_new = True
                    found[entry.name] = info.st_size
        if any_new:
            sync_names(folder, self._ops)
        self._sizes[folder] = found

    def wake(self) -> None:
        """Sync soon."""
        with self._news:
            self._waiting = True
            self._news.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="runcast-files", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Sync what was announced, and end."""
        with self._news:
            self._stopped = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._news:
                while not (self._waiting or self._stopped):
                    self._news.wait()
                if not self._waiting:
                    return
                self._waiting = False
            self.sync()

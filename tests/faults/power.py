"""A disk that forgets: what a power cut may leave of what was written through `FileOps`.

POSIX promises only what was synced: a file's bytes by ``fsync`` of the file, its name by ``fsync`` of its
folder. Everything later may be there, or not, or be zeros, page by page in any order. The model keeps
what was promised; `cut` makes a folder in which luck decides the rest.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from runcast.journal import FileOps

PAGE = 64
"""Bytes that reach the disk as one; smaller than a real one, so that small files are torn as well."""


class ForgetfulDisk(FileOps):
    """Real system calls on a real folder, and beside them what a power cut would leave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[Path, dict[str, int]] = {}
        """Folder → names that are safe there → inode."""
        self._data: dict[int, bytes] = {}
        """Inode → bytes that are safe."""
        self._replaced: dict[int, bytes] = {}
        """Inode → its last content, where a rename took its name away."""
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            self._keep_names(folder)  # what was there before is safe

    def sync(self, fd: int) -> None:
        """The file's bytes are safe; the real disk need not be waited for."""
        self._data[os.fstat(fd).st_ino] = Path(f"/proc/self/fd/{fd}").read_bytes()

    def sync_path(self, path: Path) -> None:
        """The folder's names are safe, or the file's bytes."""
        if path.is_dir():
            self._keep_names(path)
        else:
            self._data[path.stat().st_ino] = path.read_bytes()

    def _keep_names(self, folder: Path) -> None:
        self._names[folder] = {entry.name: entry.stat().st_ino for entry in folder.iterdir()}

    def replace(self, source: Path, target: Path) -> None:
        """Until the folder is synced, the old file may come back under its name."""
        if target.exists():
            self._replaced[target.stat().st_ino] = target.read_bytes()
        super().replace(source, target)

    def cut(self, target: Path, luck: random.Random) -> None:
        """The power goes: what is found afterwards stands in `target`; the disk itself goes on."""
        target.mkdir(parents=True)
        self._leave(self.root, target, luck, luck.random())

    def _leave(self, folder: Path, target: Path, luck: random.Random, favour: float) -> None:
        now = {entry.name: entry.stat().st_ino for entry in folder.iterdir()}
        safe = self._names.get(folder, {})
        for name in sorted(now.keys() | safe.keys()):
            inode = safe.get(name)
            if inode is None or (name in now and luck.random() < favour):
                if luck.random() >= favour and inode is None:
                    continue  # nobody synced its name: it is gone
                inode = now[name]
            place = folder / name
            if place.is_dir():
                (target / name).mkdir()
                self._leave(place, target / name, luck, favour)
            elif inode == now.get(name):
                (target / name).write_bytes(self._left_of(inode, place.read_bytes(), luck))
            elif inode in self._replaced:  # the rename is undone
                (target / name).write_bytes(self._left_of(inode, self._replaced[inode], luck))

    def _left_of(self, inode: int, content: bytes, luck: random.Random) -> bytes:
        safe = self._data.get(inode, b"")
        tail = content[len(safe) :]
        how = luck.choice(["all", "none", "torn", "zeros", "pages"])
        if how == "none":
            return safe
        if how == "all":
            return content
        if how == "torn":
            return safe + tail[: luck.randrange(len(tail) + 1)]
        if how == "zeros":
            return safe + bytes(len(tail))
        pages = (tail[start : start + PAGE] for start in range(0, len(tail), PAGE))
        return safe + b"".join(page if luck.random() < 0.5 else bytes(len(page)) for page in pages)

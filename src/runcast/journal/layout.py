"""Where everything stands under runcast's folder; nobody else spells these names.

::

    <dir>/                        0700
      catalog.db                  the local backend's index
      registry.db                 the local model registry
      alive/<process>             locked for as long as that process lives
      blobs/ab/ab12…              files by their sha256
      views/<digest>/             artifacts as folders, made when somebody looks
      runs/<run>/
        journal/<writer>-0000.rcj segments
        delivery/<backend>/       cursor.json, status.json, report.json, rejected.jsonl, lock, state/
      trash/                      what `runcast gc` is about to remove
"""

from __future__ import annotations

import os
from pathlib import Path


class Layout:
    """The folders of one runcast directory; none is made by looking at it."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self.runs = self.root / "runs"
        self.blobs = self.root / "blobs"
        self.views = self.root / "views"
        self.registry = self.root / "registry.db"
        self.alive = self.root / "alive"
        self.catalog = self.root / "catalog.db"

    def run(self, run: str) -> Path:
        """Folder of one run."""
        return self.runs / run

    def journal(self, run: str) -> Path:
        """Folder of one run's segments."""
        return self.runs / run / "journal"

    def delivery(self, run: str, backend: str) -> Path:
        """What is known about the delivery of one run to one backend."""
        return self.runs / run / "delivery" / backend

    def run_ids(self) -> list[str]:
        """Every run that has a folder."""
        try:
            with os.scandir(self.runs) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            return []


def segment_paths(folder: Path) -> list[Path]:
    """The segments in a run's journal folder, by name.

    A folder may come from a stranger, so links are not followed, and pipes and devices not opened.

    Raises:
        OSError: the folder cannot be listed.
    """
    if folder.is_symlink() or folder.parent.is_symlink():  # the run's own folder
        return []
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                e.name for e in entries if e.name[-4:] == ".rcj" and e.is_file(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names]


def is_run_id(text: str) -> bool:
    """Whether this can be the name of a run's folder: what a journal says of others may be forged."""
    try:
        return 0 < len(os.fsencode(text)) < 256 and text not in (".", "..") and not set(text) & {"/", "\0"}
    except UnicodeEncodeError:
        return False


def make_private(folder: Path) -> None:
    """Make a folder, and its parents where they are missing, that only this user can enter."""
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)

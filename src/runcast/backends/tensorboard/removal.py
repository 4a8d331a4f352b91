"""Removing a run's folder: only where its own marker says whose it is, and no more than is the run's."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from runcast.backends.tensorboard.folder import MARKER, owner


def remove(logdir: Path, folder: str, run: str) -> str:
    """Remove the folder of a run.

    Event files that the run does not have are somebody else's: they stay, and so does the folder.

    Args:
        logdir: absolute.
        folder: the run's, relative to `logdir`.
        run: the run's id.

    Returns:
        What stays, in words; "" where nothing does.
    """
    path = logdir / folder
    if not path.is_dir():
        return ""
    if owner(path) != run:
        return f"{path} is not touched: its {MARKER} does not name this run"
    foreign = {entry for entry in path.glob("events.out.tfevents.*") if not _is_own(entry, run)}
    for entry in [*(e for e in path.iterdir() if e.name != MARKER), path / MARKER]:  # the marker last
        if entry not in foreign:
            _delete(entry)
    if foreign:
        return f"{path} stays: it holds event files that this run did not write"
    path.rmdir()
    with contextlib.suppress(OSError):  # other runs of the experiment
        path.parent.rmdir()
    return ""


def _is_own(path: Path, run: str) -> bool:
    return path.name.endswith(f".{run}") or ".hparams." in path.name


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

"""Removing what was found, so that nobody who begins to need it just then loses it.

A script that logs a file whose content is there already does not write it again. So everything is first
moved aside; if somebody turns out to be at work then, it all goes back. Whoever begins later finds it missing
and writes it anew: a script holds its lock before it stores or reads anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from runcast.backends.local.removal import forget
from runcast.catalog.database import connect
from runcast.courier import started_here
from runcast.courier.closing import is_over
from runcast.courier.folder import DeliveryFolder
from runcast.errors import JournalError
from runcast.journal import Layout, is_alive, make_private
from runcast.retention.plan import Found

MOMENT = 60.0
"""Seconds after which a run without an end, and without a living process, counts as left alone."""


def at_work(layout: Layout) -> str:
    """Who uses the folder just now; "" where nobody does."""
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(layout.alive)):  # noqa: PTH208  # names are enough
            if is_alive(layout.alive, name):
                return "a script is running"
    for run in layout.run_ids():
        for place in (layout.run(run) / "delivery").glob("*/lock"):
            if DeliveryFolder(place.parent).is_held():
                return f"run {run} is being delivered to {place.parent.name}"
        newest = max((p.stat().st_mtime for p in layout.journal(run).glob("*.rcj")), default=0.0)
        if time.time() - newest < MOMENT and not is_over(layout, run):
            return f"run {run} was written to a moment ago"
    return ""


def sweep(layout: Layout, find: Callable[[], Found]) -> Found:
    """Remove what may go; gives what that was.

    Args:
        layout: the runcast directory.
        find: `runcast.retention.look` of it; asked when nobody else is at work.

    Raises:
        JournalError: somebody is at work, or the disk refuses; everything is where it was.
    """
    with _alone(layout):
        _put_back(layout)  # what a sweep that was killed had moved
        before = _state(layout)
        found = find()
        aside = _trash(layout) / os.urandom(4).hex()
        try:
            for path in found.paths(layout):
                _move(path, aside / path.relative_to(layout.root))
            gone = {run.run for run in found.runs}
            who = at_work(layout)
            stays = {place: was for place, was in before.items() if not gone.intersection(place.parts[1:2])}
            if who or _state(layout) != stays:
                raise JournalError(
                    f"{layout.root}: {who or 'something was written'} meanwhile, so nothing was removed; "
                    "try again when that is over"
                )
            _forget(layout, sorted(gone))
        except OSError as error:
            _put_back(layout)
            raise JournalError(f"{layout.root}: nothing was removed: {error}") from error
        except BaseException:
            _put_back(layout)
            raise
        if _trash(layout).exists():
            shutil.rmtree(_trash(layout))
    for run in gone:
        started_here.forget(layout, run)
    return found


def _state(layout: Layout) -> dict[Path, tuple[int, int]]:
    """Changes when anything is written that may name a content: place → (bytes, ns of the last change)."""
    state: dict[Path, tuple[int, int]] = {}
    patterns = ("runs/*/journal/*.rcj", "registry.db", "migrations/*/manifest.json")
    for path in (path for pattern in patterns for path in layout.root.glob(pattern)):
        about = path.stat()
        state[path.relative_to(layout.root)] = (about.st_size, about.st_mtime_ns)
    return state


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    if who := at_work(layout):
        raise JournalError(f"{layout.root}: {who}, so nothing is removed; try again when that is over")
    make_private(layout.root)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(layout.root / "gc.lock", flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise JournalError(f"{layout.root}: another `runcast gc` is at work") from error
    finally:
        os.close(fd)


def _trash(layout: Layout) -> Path:
    return layout.root / "trash"


def _move(path: Path, target: Path) -> None:
    make_private(target.parent)
    with contextlib.suppress(FileNotFoundError):  # gone by itself
        path.rename(target)


def _put_back(layout: Layout) -> None:
    trash = _trash(layout)
    if trash.is_symlink():
        raise JournalError(f"{trash} is a link, which runcast never makes: remove it")
    for aside in trash.glob("*"):
        # Whole runs and views first, then single files, by the depth at which each was.
        for pattern in ("runs/*", "views/*", "blobs/.*.tmp", "blobs/*/*"):
            for path in aside.glob(pattern):
                target = layout.root / path.relative_to(aside)
                if not target.exists():
                    _move(path, target)
    if trash.exists():
        shutil.rmtree(trash)


def _forget(layout: Layout, runs: list[str]) -> None:
    if not runs or not layout.catalog.exists():
        return
    try:
        with contextlib.closing(connect(layout.catalog)) as connection:
            for run in runs:
                forget(connection, run)
    except sqlite3.Error as error:
        raise JournalError(f"{layout.catalog} cannot be changed ({error}), so nothing was removed") from error

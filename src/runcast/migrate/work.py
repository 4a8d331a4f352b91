"""What one process of a migration does: stage one run. It takes and gives plain values, so that any engine
that runs functions elsewhere (a process pool, dask) can carry it, as long as it sees the same files."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

from runcast.errors import RuncastError
from runcast.journal import Layout, ProcessLock
from runcast.migrate import address
from runcast.migrate.stage import Staged, stage
from runcast.plugins.source import FoundRun, Source
from runcast.redact import redact_text

_locks: dict[tuple[int, str], ProcessLock] = {}
_sources: dict[tuple[int, str, int], Source] = {}
_gate = threading.Lock()
_tell: Callable[[int], None] = lambda records: None  # noqa: E731  # a variable that holds a function


class Failed(Exception):  # a result, carried as what it is
    """A run that could not be staged, in words; unlike its cause it can be sent between processes."""


def stage_run(
    root: str, where: str, base: str, found: FoundRun, tell: Callable[[int], None] | None = None
) -> Staged:
    """Stage one run.

    Args:
        root: folder of the journals.
        where: the source's address.
        base: folder that relative paths start at.
        found: the run.
        tell: see `stage`; in a process of a pool, the pool's own.

    Raises:
        Failed: with the reason.
    """
    layout = Layout(Path(root))
    try:
        lock = _lock(layout).name
        return stage(layout, _source(where), found, process=lock, base=Path(base), tell=tell or _tell)
    except (RuncastError, OSError) as error:
        raise Failed(redact_text(str(error))) from None
    except Exception as error:  # a source is a plugin: one run's trouble must not stop the others
        raise Failed(redact_text(f"{type(error).__name__}: {error}")) from None


def _lock(layout: Layout) -> ProcessLock:
    key = os.getpid(), str(layout.root)
    with _gate:
        if key not in _locks:
            _locks[key] = ProcessLock(layout.alive)
        return _locks[key]


def _source(where: str) -> Source:
    # One for each thread: an engine may run several tasks at once in one process.
    key = os.getpid(), where, threading.get_ident()
    with _gate:
        if key not in _sources:
            _sources[key] = address.source(where)
        return _sources[key]


def forget() -> None:
    """Let go of what this process holds open, under a thread that still reads too; waits for none of them."""
    sources, locks = list(_sources.values()), list(_locks.values())
    _sources.clear()
    _locks.clear()
    for source in sources:
        source.close()
    for lock in locks:
        lock.release()


def counting(read: Any, stop: Any) -> Callable[[int], None]:
    """A `tell` of `stage` for what shares the two values of `begin`."""

    def tell(records: int) -> None:
        with read.get_lock():
            read.value += records
        if stop.value:
            raise KeyboardInterrupt

    return tell


def begin(read: Any, stop: Any) -> None:
    """First call in a process of a pool.

    Args:
        read: shared counter of records that were read.
        stop: shared flag: nobody wants the result any more.
    """
    global _tell
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which sets `stop`
    _tell = counting(read, stop)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End with the parent: a process that waits for work would not notice its death."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)

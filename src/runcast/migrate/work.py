"""What one process of a migration does: stage one run. It takes and gives plain values, so that any engine
that runs functions elsewhere (a process pool, dask) can carry it, as long as it sees the same files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runcast.errors import RuncastError
from runcast.journal import Layout, ProcessLock
from runcast.migrate import address
from runcast.migrate.stage import Staged, stage
from runcast.plugins.source import FoundRun, Source
from runcast.redact import redact_text

_locks: dict[tuple[int, str], ProcessLock] = {}
_sources: dict[tuple[int, str], Source] = {}


class Failed(Exception):  # a result, carried as what it is
    """A run that could not be staged, in words; unlike its cause it can be sent between processes."""


def stage_run(root: str, where: str, found: FoundRun) -> Staged:
    """Stage one run.

    Args:
        root: folder of the journals.
        where: the source's address.
        found: the run.

    Raises:
        Failed: with the reason.
    """
    layout = Layout(Path(root))
    try:
        return stage(layout, _source(where), found, process=_lock(layout).name)
    except (RuncastError, OSError) as error:
        raise Failed(redact_text(str(error))) from None
    except Exception as error:  # a source is a plugin: one run's trouble must not stop the others
        raise Failed(redact_text(f"{type(error).__name__}: {error}")) from None


def _lock(layout: Layout) -> ProcessLock:
    key = os.getpid(), str(layout.root)
    if key not in _locks:
        _locks[key] = ProcessLock(layout.alive)
    return _locks[key]


def _source(where: str) -> Source:
    key = os.getpid(), where
    if key not in _sources:
        _sources[key] = address.source(where)
    return _sources[key]


def forget() -> None:
    """Let go of what this process holds open."""
    for source in _sources.values():
        source.close()
    for lock in _locks.values():
        lock.release()
    _sources.clear()
    _locks.clear()


def pool(jobs: int) -> Any:
    """An executor of `jobs` processes; started afresh, so that they inherit neither threads nor locks."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))

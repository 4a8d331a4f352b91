"""Keeping the index true to the journals, which are what really happened.

The courier fills the catalog as runs are logged. Whatever it did not see (another backend only, a
catalog file that was lost, damaged or made by an older version) is indexed here from the journals.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runcast.catalog import writer
from runcast.catalog.database import connect
from runcast.catalog.lag import is_behind
from runcast.catalog.state import Head, RunState
from runcast.catalog.values import text_out
from runcast.errors import JournalError
from runcast.journal.blobs import Blobs
from runcast.journal.held import settle
from runcast.journal.layout import Layout, segment_paths
from runcast.journal.reader import read_run

_log = logging.getLogger("runcast")

_CLOCK_GRAIN = 20_000_000
"""ns by which a file's time may lag behind the clock, generously."""

PROGRESS_AFTER = 1.0
"""Seconds before a progress bar appears."""


@dataclass
class Rebuilt:
    """What `rebuild` did.

    Attributes:
        runs: ids of the runs that were indexed.
        kept: ids left as they were, because the catalog knows more of them than their journal still does.
        skipped: run id → why its journal could not be read.
    """

    runs: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def home(dir: str | Path | None) -> Path:
    """runcast's folder: `dir`, or else what the configuration says."""
    if dir is not None:
        return Path(dir)
    from runcast import config

    return config.load().dir


def catalog_path(dir: str | Path) -> Path:
    """Where the catalog of a folder is."""
    return Layout(dir).catalog


def rebuild(dir: str | Path | None = None) -> Rebuilt:
    """Index every run anew from its journal; safe while runs are being logged.

    A run whose journal is gone, or was thinned out, keeps what is known of it. A progress bar on stderr
    shows up after a second, where stderr is a terminal.

    Raises:
        FormatError: a newer runcast made the catalog.
    """
    layout = Layout(home(dir))
    done = Rebuilt()
    with contextlib.closing(connect(layout.catalog)) as connection:
        _index(connection, layout, layout.run_ids(), done)
    return done


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection | None]:
    """The catalog of a folder with every run in it; None where there is nothing to list, or make."""
    layout = Layout(folder)
    ids = layout.run_ids()
    if not ids and not layout.catalog.exists():
        yield None
        return
    done = Rebuilt()
    with contextlib.closing(connect(layout.catalog)) as connection:
        known = {text_out(id) for (id,) in connection.execute("SELECT id FROM runs")}
        known -= {text_out(id) for (id,) in connection.execute("SELECT id FROM runs WHERE partial = 1")}
        known -= _gone_on(connection, layout)
        missing = [id for id in ids if id not in known]
        if missing:
            _index(connection, layout, missing, done)
        for id, reason in done.skipped.items():
            _log.warning("run %s is not listed: %s", id, reason)
        yield connection


def refresh(connection: sqlite3.Connection, folder: Path) -> None:
    """Take in what running runs said and the courier has not delivered yet.

    Every run that goes on anywhere is looked at: whoever asks for an artifact wants what was logged just now.
    """
    layout = Layout(folder)
    running = [text_out(id) for (id,) in connection.execute("SELECT id FROM runs WHERE status = 'running'")]
    behind = [id for id in running if is_behind(connection, layout, id)]
    done = Rebuilt()
    _index(connection, layout, behind, done)
    for id, reason in done.skipped.items():
        _log.warning("run %s could not be read to its end: %s", id, reason)


def _gone_on(connection: sqlite3.Connection, layout: Layout) -> set[str]:
    """Runs that were running when they were indexed, and whose journals were written to since."""
    query = "SELECT id, time_ns FROM runs JOIN readings ON run = n WHERE status = 'running'"
    return {
        id
        for id, then in ((text_out(id), then) for id, then in connection.execute(query))
        if any(file.stat().st_mtime_ns >= then for file in segment_paths(layout.journal(id)))
    }


def _index(connection: sqlite3.Connection, layout: Layout, ids: Sequence[str], done: Rebuilt) -> None:
    # What power loss takes is found missing and indexed again; the courier's own commits are still synced.
    connection.execute("PRAGMA synchronous = NORMAL")
    for id in _with_progress(ids):
        try:
            if _index_run(connection, layout, id):
                done.runs.append(id)
            else:
                done.kept.append(id)
        except (JournalError, OSError) as error:
            done.skipped[id] = str(error)


def _index_run(connection: sqlite3.Connection, layout: Layout, id: str) -> bool:
    blobs = Blobs(layout.blobs)
    for _ in range(2):  # a second time, because the courier may overtake the first
        begun = time.time_ns() - _CLOCK_GRAIN
        state = RunState(Head(id, name=id))
        for record in read_run(layout.run(id)):
            state.apply(settle(record, blobs))
        if not state.marks:
            return False  # nothing was logged yet
        if writer.replace(connection, state, begun):
            return True
    return False


def _with_progress(ids: Sequence[str]) -> Iterable[str]:
    begun = time.monotonic()
    for position, id in enumerate(ids):
        if time.monotonic() - begun > PROGRESS_AFTER and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import track

            rest = track(
                ids[position:],
                "indexing runs",
                total=len(ids),
                completed=position,
                console=Console(stderr=True),
                transient=True,
            )
            yield from rest
            return
        yield id

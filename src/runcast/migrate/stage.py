"""The first half of a migration: one run of a source, as records in a journal.

Nothing is delivered before the journal is whole, so that no tracker ever holds half a run of a source that
broke. What a reading that broke, or was killed, has written is thrown away by the next one, which knows it
by the name of its writer in ``staging``; no other segment of the journal is ever touched.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from runcast import codec
from runcast.journal import (
    Blobs,
    FileOps,
    JournalReader,
    JournalWriter,
    Layout,
    make_private,
    sync_names,
    write_atomically,
)
from runcast.migrate.address import run_id
from runcast.migrate.seen import Seen
from runcast.plugins.source import FoundRun, Source
from runcast.records import Input, Lost, Metrics, Record, RunFinished, RunStarted, Trace

TELL = 5_000
"""Records between two reports of progress."""
TOGETHER = 100
"""Records that go to the disk in one call: nobody may read the journal before it is whole."""
MOST_LOST = 20
"""Things that could not be read which are told by name."""


class Staged(msgspec.Struct, omit_defaults=True):
    """What staging one run came to.

    Attributes:
        run: runcast's id of it.
        read: records that the source gave.
        added: records that were new.
        points: values of metrics among them.
        gone: metric → points that the journal has and the source does not have any more.
        unsaid: params, tags and the note that are gone likewise, in words.
        lost: what the source could not read, in words; the first `MOST_LOST`.
        losses: how many things that were.
        uses: runcast's ids of other runs that made what this one used.
        seconds: how long it took.
    """

    run: str
    read: int = 0
    added: int = 0
    points: int = 0
    gone: dict[str, int] = {}
    unsaid: list[str] = []
    lost: list[str] = []
    losses: int = 0
    uses: list[str] = []
    seconds: float = 0.0


def stage(
    layout: Layout,
    source: Source,
    found: FoundRun,
    *,
    process: str,
    base: Path | None = None,
    tell: Callable[[int], None] = lambda records: None,
) -> Staged:
    """Bring a journal in line with a run of a source.

    Args:
        layout: the folder of journals.
        source: where the run is.
        found: which.
        process: name of this process's lock in `layout`.
        base: folder that relative paths in the destination's options are relative to; the current one where
            left out.
        tell: called every `TELL` records, and at the end, with how many were read since.

    Raises:
        SourceError, JournalError, OSError: the source cannot be read, or the disk cannot be written; the
            journal is as it was before.
    """
    began = time.monotonic()
    ids = _Ids(source, base or Path.cwd())
    run = ids(found.id)
    with _claimed(layout, run):
        journal = _Journal(layout, run, process)
        try:
            staged = _read(source, found, ids, journal, Blobs(layout.blobs), tell)
            journal.commit()
        except BaseException:
            journal.discard()
            raise
    staged.seconds = time.monotonic() - began
    return staged


def _read(
    source: Source,
    found: FoundRun,
    ids: _Ids,
    journal: _Journal,
    blobs: Blobs,
    tell: Callable[[int], None],
) -> Staged:
    """Append what is new, and see that a run that is over ends with its last word."""
    seen, staged, ended = journal.seen, Staged(run=journal.run), False
    number = told = added = points = 0
    for number, record in enumerate(source.read(found, blobs), 1):
        if number - told >= TELL:
            tell(number - told)
            told = number
        if type(record) is Metrics:  # nearly all of them
            new = seen.fresh_points(record)
            if new is not None:
                ended = False
                journal.append(new)
                added += 1
                points += len(new.values)
            continue
        if isinstance(record, Lost):
            staged.losses += record.count
            if len(staged.lost) < MOST_LOST:
                reason = f"{record.key}: {record.reason}" if record.key else record.reason
                staged.lost.append(f"{reason} ({record.count} times)" if record.count > 1 else reason)
        record = _rewritten(record, journal.run, ids)
        if (maker := _maker(record)) and maker != journal.run and maker not in staged.uses:
            staged.uses.append(maker)
        fresh = seen.fresh(record)
        if fresh is None:
            continue
        ended = isinstance(fresh, RunFinished)
        for writer in seen.open if ended else ():
            journal.append(msgspec.structs.replace(fresh, of=writer))
        journal.append(fresh)
        staged.added += 1
    tell(number - told)
    staged.read = number
    last = seen.reverted()
    for record in last:
        journal.append(record)
    staged.added += added + len(last)
    staged.points = points
    if journal.is_open and seen.ended is not None and (last or not ended):
        # It had ended before what is new was found, and still has.
        journal.append(msgspec.structs.replace(seen.ended, writer="", seq=0))
    staged.gone, staged.unsaid = seen.gone(), seen.unsaid()
    return staged


class _Journal:
    """One run's journal, to be added to as a whole or not at all."""

    def __init__(self, layout: Layout, run: str, process: str) -> None:
        self.run = run
        self._folder, self._process = layout.journal(run), process
        self._note = layout.run(run) / "staging"
        self._writer: JournalWriter | None = None
        self._waiting: list[Record] = []
        self.discard()
        self.seen = Seen.of(JournalReader(self._folder, run=run))

    @property
    def is_open(self) -> bool:
        """Whether anything was appended."""
        return self._writer is not None

    def append(self, record: Record) -> None:
        """Write one record; the first one begins the run anew where it had begun before.

        Raises:
            OSError: the disk refuses.
        """
        writer = self._writer or self._begin(record)
        self._waiting.append(record)
        if len(self._waiting) >= TOGETHER:
            self._flush(writer)

    def _flush(self, writer: JournalWriter) -> None:
        waiting, self._waiting = self._waiting, []
        writer.append_many(codec.encode_many(waiting))
        if writer.waiting:  # a live run would wait for the disk; this one can be read again
            raise OSError(errno.ENOSPC, f"{self._folder} cannot be written: free space, then migrate again")

    def _begin(self, first: Record) -> JournalWriter:
        seen = self.seen
        generation = seen.generation + 1
        writer = JournalWriter(self._folder, self.run, process=self._process, generation=generation)
        write_atomically(self._note, writer.writer.encode())
        self._writer = writer
        if seen.started is not None and not isinstance(first, RunStarted):
            writer.append(codec.encode(msgspec.structs.replace(seen.started, resumed=True, writer="", seq=0)))
        return writer

    def commit(self) -> None:
        """What was appended is whole, and on the disk: it may be delivered."""
        if self._writer is not None:
            self._flush(self._writer)
            self._writer.close()
            disk = FileOps()
            for path in self._folder.glob(f"{self._writer.writer}-*.rcj"):
                disk.sync_path(path)
            sync_names(self._folder, disk)
            self._note.unlink()

    def discard(self) -> None:
        """Take away what was appended and not committed, by this process or one that was killed."""
        if self._writer is not None:
            self._writer.close()
        with contextlib.suppress(FileNotFoundError):
            writer = self._note.read_text()
            if writer.isalnum():  # nothing that a glob, or a path, could take for more
                for path in self._folder.glob(f"{writer}-*.rcj"):
                    path.unlink()
            self._note.unlink()


@contextlib.contextmanager
def _claimed(layout: Layout, run: str) -> Iterator[None]:
    """Nobody else stages this run meanwhile: a process of a migration that was killed may outlive it."""
    make_private(layout.run(run))
    lock = os.open(layout.run(run) / "staging.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class _Ids:
    """The source's ids of runs as runcast's; and where relative paths start."""

    def __init__(self, source: Source, base: Path) -> None:
        self._scheme, self._identity = source.name, source.identity
        self.base = str(base)

    def __call__(self, run: str) -> str:
        return run_id(self._scheme, self._identity, run)


def _rewritten(record: Record, run: str, ids: _Ids) -> Record:
    """References to the source's runs as references to ours."""
    if isinstance(record, RunStarted):
        parent = ids(record.parent) if record.parent else None
        return msgspec.structs.replace(record, run=run, parent=parent, backends={}, base=ids.base)
    if isinstance(record, Input) and record.run:
        return msgspec.structs.replace(record, run=ids(record.run))
    if isinstance(record, Trace) and record.model.get("run"):
        return msgspec.structs.replace(record, model={**record.model, "run": ids(record.model["run"])})
    if isinstance(record, RunFinished) and record.of:
        return msgspec.structs.replace(record, of=None)
    return record


def _maker(record: Record) -> str:
    """The run that made what a record speaks of."""
    if isinstance(record, Input):
        return record.run or ""
    return record.model.get("run", "") if isinstance(record, Trace) else ""

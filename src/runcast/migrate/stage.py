"""The first half of a migration: one run of a source, as records in a journal.

Killed at any point, the next call goes on: what stands in the journal is not written again. Nothing is
delivered before the journal is whole, so that no tracker ever holds half a run of a source that broke.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from runcast import codec
from runcast.journal import Blobs, JournalReader, JournalWriter, Layout
from runcast.migrate.address import run_id
from runcast.migrate.seen import Seen
from runcast.plugins.source import FoundRun, Source
from runcast.records import Input, Metrics, Record, RunFinished, RunStarted

TELL = 5_000
"""Records between two reports of progress."""


class Staged(msgspec.Struct, omit_defaults=True):
    """What staging one run came to.

    Attributes:
        run: runcast's id of it.
        added: records that were new.
        points: values of metrics among them.
        gone: metric → points that the journal has and the source does not have any more.
        lost: what the source could not read, in words.
        seconds: how long it took.
    """

    run: str
    added: int = 0
    points: int = 0
    gone: dict[str, int] = {}
    lost: list[str] = []
    seconds: float = 0.0


def stage(
    layout: Layout,
    source: Source,
    found: FoundRun,
    *,
    process: str,
    tell: Callable[[int], None] = lambda records: None,
) -> Staged:
    """Bring a journal in line with a run of a source.

    Args:
        layout: the folder of journals.
        source: where the run is.
        found: which.
        process: name of this process's lock in `layout`.
        tell: called now and then with the number of records read so far.

    Raises:
        SourceError, OSError: the source cannot be read; what was read so far stays in the journal.
    """
    began = time.monotonic()
    ids = _Ids(source)
    run = ids(found.id)
    folder = layout.journal(run)
    seen = Seen.of(JournalReader(folder, run=run))
    writer: JournalWriter | None = None
    staged = Staged(run=run)
    try:
        ended = False
        for number, record in enumerate(source.read(found, Blobs(layout.blobs))):
            if number % TELL == 0:
                tell(number)
            if record.__struct_config__.tag == "lost":
                staged.lost.append(f"{record.key}: {record.reason}")  # type: ignore[union-attr]  # a Lost
            fresh = seen.fresh(_rewritten(record, run, ids))
            if fresh is None:
                continue
            if writer is None:
                writer = _writer(folder, run, process, seen, fresh)
            writer.append(codec.encode(fresh))
            ended = isinstance(fresh, RunFinished)
            staged.added += 1
            staged.points += len(fresh.values) if isinstance(fresh, Metrics) else 0
        last = seen.reverted()
        if writer is None and last:
            writer = _writer(folder, run, process, seen, last[0])
        if writer is not None:
            for record in last:
                writer.append(codec.encode(record))
        staged.added += len(last)
        if writer is not None and seen.ended is not None and (last or not ended):
            # It had ended before what is new was found, and still has.
            writer.append(codec.encode(msgspec.structs.replace(seen.ended, writer="", seq=0)))
    finally:
        if writer is not None:
            writer.close()
    staged.gone = seen.gone()
    staged.seconds = time.monotonic() - began
    return staged


def _writer(folder: Path, run: str, process: str, seen: Seen, first: Record) -> JournalWriter:
    """A writer that comes after every earlier one; it begins the run anew where it did not yet."""
    writer = JournalWriter(folder, run, process=process, generation=seen.generation + 1)
    if seen.started is not None and not isinstance(first, RunStarted):
        writer.append(codec.encode(msgspec.structs.replace(seen.started, resumed=True, writer="", seq=0)))
    return writer


class _Ids:
    """The source's ids of runs as runcast's."""

    def __init__(self, source: Source) -> None:
        self._scheme, self._identity = source.name, source.identity

    def __call__(self, run: str) -> str:
        return run_id(self._scheme, self._identity, run)


def _rewritten(record: Record, run: str, ids: Callable[[str], str]) -> Record:
    """References to the source's runs as references to ours."""
    if isinstance(record, RunStarted):
        parent = ids(record.parent) if record.parent else None
        return msgspec.structs.replace(record, run=run, parent=parent, backends={}, base=str(Path.cwd()))
    if isinstance(record, Input) and record.run:
        return msgspec.structs.replace(record, run=ids(record.run))
    if isinstance(record, RunFinished) and record.of:
        return msgspec.structs.replace(record, of=None)
    return record

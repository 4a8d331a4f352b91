"""The last word of a run whose process died: whether it is needed, and writing it.

A process that logs to a run begins with ``run_started`` and ends with ``run_finished``. Where the
second is missing and the process is gone, a courier adds it in a segment of its own: status
``crashed``, at the time of the writer's last record.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from runcast import codec
from runcast.journal import JournalWriter, Layout, ends, is_alive
from runcast.records import RunFinished, RunStarted


class WriterEnd(msgspec.Struct):
    """What the first and the last record of one writer say."""

    process: str = ""
    generation: int = 0
    started: bool = False
    finished: bool = False
    last_time: int = 0


def writer_ends(folder: Path) -> dict[str, WriterEnd]:
    """Writer → how it began and ended, from the ends of its segments only; couriers are left out."""
    known: dict[str, WriterEnd] = {}
    spoken_for: set[str] = set()
    for path in sorted(folder.glob("*.rcj")):
        segment = ends(path)
        if segment is None:
            continue
        header = segment.header
        if header.courier:
            spoken_for |= {r.of for r in segment.last if isinstance(r, RunFinished) and r.of}
            continue
        end = known.setdefault(header.writer, WriterEnd(header.process, header.generation))
        end.started = end.started or isinstance(segment.first, RunStarted)
        if segment.last:
            end.finished = isinstance(segment.last[-1], RunFinished)
            end.last_time = segment.last[-1].time
    for writer in spoken_for & known.keys():
        known[writer].finished = True
    return known


def is_over(layout: Layout, run: str) -> bool:
    """Whether every process that logged to the run has had its last word."""
    writers = writer_ends(layout.journal(run)).values()
    return any(end.finished for end in writers) and not any(
        not end.finished and (end.started or is_alive(layout.alive, end.process)) for end in writers
    )


def close_dead(layout: Layout, run: str) -> list[str]:
    """Say ``crashed`` for each process of this run that died without a last word; gives their writers."""
    folder = layout.journal(run)
    if not any(_is_dead(layout, end) for end in writer_ends(folder).values()):
        return []
    lock = os.open(layout.run(run) / "closing.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        closed = []
        for writer, end in writer_ends(folder).items():  # again: another courier may have been faster
            if _is_dead(layout, end):
                journal = JournalWriter(folder, run, generation=end.generation, courier=True, sync=True)
                error = "the process ended without a word (killed, or the machine went down)"
                last_word = RunFinished(time=end.last_time, status="crashed", error=error, of=writer)
                journal.append(codec.encode(last_word))
                journal.close()
                closed.append(writer)
        return closed
    finally:
        os.close(lock)


def _is_dead(layout: Layout, end: WriterEnd) -> bool:
    return end.started and not end.finished and not is_alive(layout.alive, end.process)

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
from runcast.errors import JournalError
from runcast.journal import Header, JournalReader, JournalWriter, Layout, is_alive
from runcast.journal.frame import seed, unframe, unframe_header
from runcast.records import Record, RunFinished, RunStarted

_TAIL = 64 << 10


class WriterEnd(msgspec.Struct):
    """What the first and the last record of one writer say."""

    process: str = ""
    generation: int = 0
    started: bool = False
    finished: bool = False
    last_time: int = 0


def writer_ends(folder: Path) -> dict[str, WriterEnd]:
    """Writer → how it began and ended, from the ends of its segments only; couriers are left out."""
    ends: dict[str, WriterEnd] = {}
    spoken_for: set[str] = set()
    for path in sorted(folder.glob("*.rcj")):
        header, first, last = _look(path)
        if header is None:
            continue
        if header.courier:
            spoken_for |= {r.of for r in (first, last) if isinstance(r, RunFinished) and r.of}
            continue
        end = ends.setdefault(header.writer, WriterEnd(header.process, header.generation))
        end.started = end.started or isinstance(first, RunStarted)
        if last is not None:
            end.finished = isinstance(last, RunFinished)
            end.last_time = last.time
    for writer in spoken_for & ends.keys():
        ends[writer].finished = True
    return ends


def is_over(layout: Layout, run: str) -> bool:
    """Whether every process that logged to the run has had its last word."""
    ends = writer_ends(layout.journal(run)).values()
    return any(end.finished for end in ends) and not any(
        not end.finished and (end.started or is_alive(layout.alive, end.process)) for end in ends
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


def _look(path: Path) -> tuple[Header | None, Record | None, Record | None]:
    """Header, first record and last record of a segment."""
    with path.open("rb") as file:
        try:
            header = unframe_header(file.readline()[:-1])
        except JournalError:
            return None, None, None
        start = seed(header.writer)
        first = _record(file.readline(), start)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        for line in reversed(file.read().split(b"\n")[:-1]):
            last = _record(line + b"\n", start)
            if last is not None:
                return header, first, last
    if first is None or size <= _TAIL:
        return header, first, first
    return header, first, _slow_last(path) or first  # the last record alone is longer than the tail


def _slow_last(path: Path) -> Record | None:
    last = None
    reader = JournalReader(path.parent)
    while records := reader.read():
        last = next((r for r in reversed(records) if path.name.startswith(r.writer)), last)
    return last


def _record(line: bytes, start: int) -> Record | None:
    whole = unframe(line[:-1], start) if line.endswith(b"\n") else None
    if whole is None:
        return None
    try:
        return codec.decode(whole[1])
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
        return None

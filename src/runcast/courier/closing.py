"""The last word of a run whose process died: whether it is needed, and writing it.

A process that logs to a run begins with ``run_started`` and ends with ``run_finished``. Where the
second is missing and the process is gone, a courier adds it in a segment of its own: status
``crashed``, at the time of the writer's last record.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import msgspec

from runcast import codec
from runcast.journal import Ends, Header, JournalWriter, Layout, ends, is_alive, segment_paths
from runcast.records import Environment, RunFinished, RunStarted

_LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class WriterEnd(msgspec.Struct):
    """What the first and the last record of one writer say."""

    process: str = ""
    generation: int = 0
    pid: int = 0
    here: bool = False
    """Written on this machine since it booted, so that `pid` means something."""
    started: bool = False
    finished: bool = False
    last_time: int = 0


def segments(folder: Path, known: Container[str] = ()) -> Iterator[tuple[str, Ends]]:
    """Name and ends of each readable segment that is not `known`, in the order of their names."""
    for path in (path for path in segment_paths(folder) if path.stem not in known):
        try:
            found = ends(path)
        except FileNotFoundError:  # given up by its writer, or deleted, a moment ago
            continue
        if found is not None:
            yield path.stem, found


def beginnings(folder: Path) -> list[RunStarted]:
    """What each process said that began a run or went on with it, the oldest first."""
    firsts = [found.first for _, found in segments(folder) if isinstance(found.first, RunStarted)]
    return sorted(firsts, key=lambda record: record.time)


def writer_ends(folder: Path) -> dict[str, WriterEnd]:
    """Writer → how it began and ended, from the ends of its segments only; couriers are left out."""
    known: dict[str, WriterEnd] = {}
    spoken_for: set[str] = set()
    for _, segment in segments(folder):
        header = segment.header
        if header.courier:
            spoken_for |= {r.of for r in segment.last if isinstance(r, RunFinished) and r.of}
            continue
        end = known.get(header.writer)
        if end is None:
            end = WriterEnd(header.process, header.generation, header.pid, _is_here(header))
            known[header.writer] = end
        end.started = end.started or isinstance(segment.first, RunStarted)
        # Another thread may have logged on while the last word was said: it is the last word all the same.
        end.finished = end.finished or any(isinstance(record, RunFinished) for record in segment.last)
        if segment.last:
            end.last_time = segment.last[-1].time
    for writer in spoken_for & known.keys():
        known[writer].finished = True
    return known


def is_over(layout: Layout, run: str) -> bool:
    """Whether every process that logged to the run has had its last word."""
    writers = writer_ends(layout.journal(run)).values()
    return any(end.finished for end in writers) and not any(
        not end.finished and (end.started or _may_write(layout, end, writers)) for end in writers
    )


def has_living_writer(layout: Layout, run: str) -> bool:
    """Whether more may still come: a process that logged to the run lives and has not finished it."""
    writers = writer_ends(layout.journal(run)).values()
    return any(not end.finished and _may_write(layout, end, writers) for end in writers)


def is_described(folder: Path, generation: int) -> bool:
    """Whether a courier has recorded the surroundings of this generation's trainer."""
    return any(
        found.header.courier
        and found.header.generation == generation
        and isinstance(found.first, Environment)
        for _, found in segments(folder)
    )


def close_dead(layout: Layout, run: str) -> list[str]:
    """Say ``crashed`` for each process of this run that died without a last word; gives their writers."""
    folder = layout.journal(run)
    if not any(_is_dead(layout, end) for end in writer_ends(folder).values()):
        return []
    lock = os.open(layout.run(run) / "closing.lock", _LOCK, 0o600)
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
    return end.started and not end.finished and not _lives(layout, end)


def _lives(layout: Layout, end: WriterEnd) -> bool:
    if end.process:
        return is_alive(layout.alive, end.process)
    # A full disk had no room for the process's lock.
    return end.here and _pid_exists(end.pid)


def _may_write(layout: Layout, end: WriterEnd, writers: Iterable[WriterEnd]) -> bool:
    """Whether a writer that has not finished lives.

    A forked child writes under its parent's lock. Once the parent has finished the run, the lock says
    nothing about the child any more, but its pid does.
    """
    if not _lives(layout, end):
        return False
    parents = [w for w in writers if w.started and w.finished and w.process == end.process]
    if end.started or not parents:
        return True
    own_pid = any(end.pid == parent.pid for parent in parents)  # a copy of the run in the same process
    return not own_pid and not (end.here and not _pid_exists(end.pid))


def _is_here(header: Header) -> bool:
    return bool(header.boot) and header.boot == _boot_id() and header.host == os.uname().nodename


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _pid_exists(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

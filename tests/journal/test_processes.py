"""Processes that are killed or forked while they log."""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast.journal import JournalReader, JournalWriter
from runcast.journal import writer as writer_module

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"  # Python 3.12 warns of the very thing that is tested here
)


def forked(work: Callable[[], None]) -> int:
    """Pid of a child that does `work` and exits, with status 1 where it raised."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def status_of(pid: int) -> int:
    """How the child ended; a child that hangs is killed after 20 s and fails the test."""
    timer = threading.Timer(20, os.kill, (pid, signal.SIGKILL))
    timer.start()
    try:
        return os.waitpid(pid, 0)[1]
    finally:
        timer.cancel()


@pytest.mark.fault(
    "F01",
    how="20 bare writers of small segments killed at random moments",
    outcome="what was acknowledged is read back in order; only the last line may be torn",
)
def test_nothing_acknowledged_is_lost_to_kill_9(
    tmp_path: Path, metric: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 writers killed at random moments: each record whose `append` returned is read back, in order."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 40_000)
    rng = random.Random(3)  # noqa: S311  # repeatable, not secret
    total = 0
    for n in range(20):
        folder, shared = tmp_path / str(n), mmap.mmap(-1, 8)

        def work(folder: Path = folder, shared: mmap.mmap = shared) -> None:
            writer, i = JournalWriter(folder, "r"), 0
            while True:
                i += 1
                writer.append(metric(i))
                shared[:] = struct.pack("q", i)

        pid = forked(work)
        threading.Event().wait(rng.uniform(0.005, 0.08))
        os.kill(pid, signal.SIGKILL)
        assert os.WTERMSIG(status_of(pid)) == signal.SIGKILL
        (acknowledged,) = struct.unpack("q", shared[:])
        reader, seqs = JournalReader(folder), []
        while batch := reader.read():
            seqs += [r.seq for r in batch]

        assert len(seqs) in (acknowledged, acknowledged + 1)
        assert seqs == list(range(1, len(seqs) + 1))
        assert reader.damage == []
        total += acknowledged
    assert total > 1000


@pytest.mark.fault(
    "F19",
    how="30 forks while three threads log",
    outcome="the child has its own segment; no deadlock, nothing doubled",
)
def test_a_forked_child_has_a_journal_of_its_own(folder: Path, metric: Any, read_all: Any) -> None:
    """30 forks while three threads log: no deadlock, nothing doubled, the parent unaffected."""
    writer = JournalWriter(folder, "r")
    done, counts = threading.Event(), [0, 0, 0]

    def work(n: int) -> None:
        while not done.is_set():
            writer.append(metric(counts[n]))
            counts[n] += 1

    def child() -> None:
        for i in range(5):
            writer.append(metric(i))
        assert (writer.seq, writer.waiting, writer.lost) == (5, 0, 0)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    pids = []
    for _ in range(30):
        pids.append(forked(child))
        assert status_of(pids[-1]) == 0
    done.set()
    for thread in threads:
        thread.join()
    records, damage = read_all(folder)
    reader = JournalReader(folder)
    reader.read()

    own = [r for r in records if r.writer == writer.writer]
    assert [r.seq for r in own] == list(range(1, sum(counts) + 1))
    children = {h.writer: h.pid for h in reader.segments() if h.writer != writer.writer}
    assert sorted(children.values()) == sorted(pids)
    for name in children:
        assert [(r.seq, r.time) for r in records if r.writer == name] == [(i + 1, i) for i in range(5)]
    assert damage == []


def test_a_child_of_a_fork_does_not_write_what_waits_in_its_parent(
    folder: Path, metric: Any, read_all: Any
) -> None:
    """Records that wait for the disk belong to the parent alone."""
    folder.parent.parent.mkdir()
    folder.parent.write_text("in the way")
    now = [0.0]
    writer = JournalWriter(folder, "r", clock=lambda: now[0])
    writer.append(metric(1))
    assert writer.waiting == 1

    def child() -> None:
        folder.parent.unlink()
        writer.append(metric(2))

    assert status_of(forked(child)) == 0
    now[0] = 1.0
    writer.append(metric(3))

    assert sorted(r.time for r in read_all(folder)[0]) == [1, 2, 3]


def test_a_fork_keeps_no_descriptor_of_its_parent(folder: Path, metric: Any) -> None:
    """The child closes the parent's segment: a full disk's space comes back when the parent lets go."""
    writer = JournalWriter(folder, "r")
    writer.append(metric(1))

    def child() -> None:
        held = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        assert held
        assert not [path for path in held if path.startswith(str(folder))]

    assert status_of(forked(child)) == 0

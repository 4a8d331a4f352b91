"""Threads, signal handlers and interrupts around `append`; what a segment looks like from outside."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast import codec
from runcast.journal import FileOps, JournalWriter
from runcast.journal import writer as writer_module
from runcast.journal.frame import Header, unframe_header
from runcast.records import Note


def test_eight_threads_write_one_journal(folder: Path, metric: Any, read_all: Any) -> None:
    """Each record once, numbers without gaps, each thread's own records in its own order."""
    writer = JournalWriter(folder, "r")

    def work(n: int) -> None:
        for i in range(1000):
            writer.append(metric(n * 1000 + i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records, damage = read_all(folder)

    assert [r.seq for r in records] == list(range(1, 8001))
    assert sorted(r.time for r in records) == list(range(8000))
    for n in range(8):
        own = [r.time for r in records if r.time // 1000 == n]
        assert own == sorted(own)
    assert damage == []


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Run a function in a signal handler about every 70 µs, also within itself, until the timer is 0."""
    before = signal.getsignal(signal.SIGALRM)
    depth = 0

    def start(action: Callable[[], None]) -> None:
        def handle(number: int, frame: object) -> None:
            nonlocal depth
            if depth < 3:
                depth += 1
                try:
                    action()
                finally:
                    depth -= 1

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 1e-4, 7e-5)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.fault(
    "F21",
    how="a handler logs while the same thread is logging",
    outcome="no deadlock; each record once",
)
def test_a_signal_handler_may_log_at_any_moment(folder: Path, metric: Any, read_all: Any, alarm: Any) -> None:
    """A handler logs while the same thread is logging: no deadlock, each record once, written at once."""
    writer = JournalWriter(folder, "r")
    numbers, handled = itertools.count(100_000_000), list[int]()

    def log() -> None:
        number = next(numbers)
        handled.append(number)
        writer.append(metric(number))

    alarm(log)
    i = 0
    while i < 20_000 or len(handled) < 200:
        writer.append(metric(i))
        i += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    records, damage = read_all(folder)

    assert sorted(r.time for r in records) == sorted([*range(i), *handled])
    assert [r.seq for r in records] == list(range(1, len(records) + 1))
    assert damage == []


def test_a_signal_handler_and_threads_together(folder: Path, metric: Any, read_all: Any, alarm: Any) -> None:
    """The main thread is interrupted while it waits for another thread's turn, too."""
    writer = JournalWriter(folder, "r")
    done = threading.Event()
    others = [0, 0]

    def work(n: int) -> None:
        while not done.is_set():
            writer.append(metric(0))
            others[n] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    handled = list[None]()

    def log() -> None:
        handled.append(None)
        writer.append(metric(1))

    alarm(log)
    for _ in range(1000):
        writer.append(metric(2))
    signal.setitimer(signal.ITIMER_REAL, 0)
    done.set()
    for thread in threads:
        thread.join()
    records, _ = read_all(folder)
    times = [r.time for r in records]

    assert [times.count(kind) for kind in (0, 1, 2)] == [sum(others), len(handled), 1000]
    assert sorted(r.seq for r in records) == list(range(1, len(records) + 1))


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


@pytest.mark.fault(
    "F21",
    how="an exception from a signal handler at any point of a call",
    outcome="what had returned is there, once",
)
def test_ctrl_c_at_any_moment_loses_and_doubles_nothing(
    folder: Path, metric: Any, read_all: Any, alarm: Any
) -> None:
    """An exception out of a signal handler in the midst of `append`: what had returned is there, once."""
    writer = JournalWriter(folder, "r")
    interrupts, acknowledged, i = 0, [], 0
    armed = False

    def interrupt() -> None:
        nonlocal armed
        if armed:  # one at a time, and only where the loop below catches it
            armed = False
            raise Interrupted

    alarm(interrupt)
    while interrupts < 300:
        try:
            armed = True
            while True:
                i += 1
                writer.append(metric(i))
                acknowledged.append(i)
        except Interrupted:
            interrupts += 1
    other = threading.Thread(target=writer.append, args=(metric(i + 1),), daemon=True)
    other.start()
    other.join(timeout=10)
    assert not other.is_alive()  # it would wait for ever for a turn that nobody gives back
    writer.close()
    records, damage = read_all(folder)
    times = [r.time for r in records]

    assert len(times) == len(set(times))
    assert set(acknowledged) <= set(times)
    assert [r.seq for r in records] == list(range(1, len(records) + 1))
    assert damage == []


def test_ctrl_c_while_another_thread_has_its_turn(folder: Path, metric: Any, read_all: Any) -> None:
    """The exception comes through as it is; that call wrote nothing, and later ones of any thread do."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(FileOps):
        def write(self, fd: int, data: bytes) -> int:  # type: ignore[override]
            begun.set()
            go_on.wait(10)
            return os.write(fd, data)

    writer = JournalWriter(folder, "r", ops=Slow())
    other = threading.Thread(target=writer.append, args=(metric(1),))
    other.start()
    begun.wait(10)

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            writer.append(metric(2))
    finally:
        signal.signal(signal.SIGALRM, before)
        go_on.set()
        other.join()
    writer.append(metric(3))
    records, damage = read_all(folder)

    assert [r.time for r in records] == [1, 3]
    assert damage == []


def test_numbers_beyond_32_bits(folder: Path, metric: Any, read_all: Any) -> None:
    """The number that no longer fits into a word is framed like the one before it."""
    writer = JournalWriter(folder, "r")
    writer._seq = (1 << 32) - 100  # payloads are some 60 bytes: the quick way ends on the way
    for i in range(200):
        writer.append(metric(i))
    records, damage = read_all(folder)

    assert [(r.seq - (1 << 32), r.time) for r in records] == [(i - 99, i) for i in range(200)]
    assert {d.missing for d in damage} == {(1 << 32) - 100}


def test_a_segment_is_private_and_named_after_its_writer(folder: Path, metric: Any) -> None:
    """Only the user can read the file and enter the folders; nothing is written before the first record."""
    writer = JournalWriter(folder, "r")
    assert not folder.exists()
    writer.append(metric(1))
    (path,) = folder.iterdir()

    assert path.name == f"{writer.writer}-0000.rcj"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {f.stat().st_mode & 0o777 for f in (folder, folder.parent)} == {0o700}


def test_closing_ends_a_segment_for_good(folder: Path, metric: Any, read_all: Any) -> None:
    """A record after `close` goes into a second segment under the next number."""
    writer = JournalWriter(folder, "r")
    writer.append(metric(1))
    first = sorted(folder.iterdir())[0].read_bytes()
    writer.close()
    writer.close()
    writer.append(metric(2))
    paths = sorted(folder.iterdir())
    headers: list[Header] = [unframe_header(p.read_bytes().split(b"\n")[0]) for p in paths]

    assert paths[0].read_bytes() == first
    assert [h.segment for h in headers] == [0, 1]
    assert [r.seq for r in read_all(folder)[0]] == [1, 2]


def test_a_record_larger_than_a_segment_is_kept_whole(
    folder: Path, read_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 10 MB text among small ones, with segments of 1 MB."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 1 << 20)
    writer = JournalWriter(folder, "r")
    texts = ["a", "b" * 10_000_000, "c"]
    for text in texts:
        writer.append(codec.encode(Note(time=1, text=text)))

    assert [r.text for r in read_all(folder)[0]] == texts

"""A disk that is full, broken, read-only or gone: training goes on, and every loss is counted."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast.journal import FileOps, JournalWriter, write_atomically
from runcast.journal import writer as writer_module
from runcast.records import Lost, Metrics, Params


class Disk(FileOps):
    """A disk with a plan of failures.

    Attributes:
        budget: bytes that still fit; a write beyond them is short, the next one fails.
        broken: calls that fail for now, with this error number.
        nth: (call, n): the nth call of this kind fails, once; for writes after it wrote everything
            where `late`.
    """

    def __init__(self) -> None:
        self.budget = 1 << 40
        self.broken: dict[str, int] = {}
        self.nth = ("", 0)
        self.late = False
        self.calls: dict[str, int] = {}

    def _step(self, call: str) -> bool:
        self.calls[call] = self.calls.get(call, 0) + 1
        if call in self.broken:
            raise OSError(self.broken[call], os.strerror(self.broken[call]))
        return self.nth == (call, self.calls[call])

    def create(self, path: Path) -> int:
        """Fail, or open."""
        if self._step("create"):
            raise OSError(errno.EIO, "Input/output error")
        return super().create(path)

    def write(self, fd: int, data: bytes) -> int:  # type: ignore[override]  # the base has os.write itself
        """Fail before or after writing, or write what still fits."""
        failing = self._step("write")
        if failing and not self.late:
            raise OSError(errno.EIO, "Input/output error")
        if data and self.budget <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = os.write(fd, data[: self.budget])
        self.budget -= done
        if failing:
            raise OSError(errno.EIO, "Input/output error")
        return done

    def sync(self, fd: int) -> None:
        """Fail, or do nothing."""
        if self._step("sync"):
            raise OSError(errno.EIO, "Input/output error")

    def close(self, fd: int) -> None:
        """Close, and perhaps fail all the same, as Linux does."""
        os.close(fd)
        if self._step("close"):
            raise OSError(errno.EIO, "Input/output error")


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Bench:
    """A writer on a planned disk, with what it told."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.disk, self.clock, self.told = Disk(), Clock(), list[str]()
        self.writer = JournalWriter(
            folder, "r", ops=self.disk, clock=self.clock, on_trouble=self.told.append, **options
        )


@pytest.fixture
def bench(folder: Path) -> Iterator[Bench]:
    """A writer whose disk a test can break."""
    bench = Bench(folder)
    yield bench
    bench.writer.close()


@pytest.mark.fault(
    "F05",
    how="a disk with room for 0 to 1,200 bytes, so that writes are short at any place",
    outcome="no exception, one warning; all records are there, without a gap, once it has room",
)
@pytest.mark.parametrize("budget", range(0, 1200, 13))
def test_a_disk_that_fills_up_loses_nothing(
    bench: Bench, folder: Path, metric: Any, param: Any, read_all: Any, budget: int
) -> None:
    """Wherever the disk is full, mid-record too: no error, all records there once it has room, no gap."""
    bench.disk.budget = budget
    for i in range(1, 13):
        bench.writer.append(metric(i), expendable=True) if i % 2 else bench.writer.append(param(i))
    assert len(bench.told) == 1
    assert "free space" in bench.told[0]
    assert bench.writer.waiting

    bench.disk.budget, bench.clock.now = 1 << 40, 1.0
    bench.writer.append(param(13))
    records, damage = read_all(folder)

    assert [r.time for r in records] == list(range(1, 14))
    assert [r.seq for r in records] == list(range(1, 14))
    assert damage == []
    assert (bench.writer.waiting, bench.writer.lost, len(bench.told)) == (0, 0, 2)


@pytest.mark.fault(
    "F05",
    how="a disk that stays full until the memory for waiting records is full too",
    outcome="the oldest metrics go, params never; one `lost` record has the exact count",
)
def test_over_the_ring_metrics_go_first_and_are_counted(
    bench: Bench, folder: Path, metric: Any, param: Any, read_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Params never go; the newest metrics stay; one ``lost`` record has the exact count; no gap."""
    monkeypatch.setattr(bench.writer._ring, "limit", 50_000)
    bench.writer.append(metric(0), expendable=True)
    bench.disk.broken = {"create": errno.EROFS, "write": errno.EIO}
    for i in range(1, 2001):
        bench.writer.append(metric(i), expendable=True)
        if i % 50 == 0:
            bench.writer.append(param(i))
    assert bench.writer.lost > 1000
    assert len(bench.told) == 1

    bench.disk.broken, bench.clock.now = {}, 1.0
    bench.writer.append(metric(2001), expendable=True)
    records, damage = read_all(folder)

    (lost,) = [r for r in records if isinstance(r, Lost)]
    metrics = [r.step for r in records if isinstance(r, Metrics)]
    assert lost.count == bench.writer.lost == 2002 - len(metrics)
    # The first to fail after the break keeps its place, because its line may be whole on the disk.
    assert metrics == [0, 1, *range(2001 - len(metrics) + 3, 2002)]
    assert len([r for r in records if isinstance(r, Params)]) == 40
    assert [r.seq for r in records] == list(range(1, len(records) + 1))
    assert damage == []


def test_a_loss_during_a_second_outage_is_counted_apart(
    bench: Bench, folder: Path, metric: Any, read_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each outage has its own ``lost`` record; the counts add up."""
    monkeypatch.setattr(bench.writer._ring, "limit", 5_000)
    for outage in (1, 2):
        bench.disk.broken = {"write": errno.ENOSPC}
        for i in range(100):
            bench.writer.append(metric(i), expendable=True)
        bench.disk.broken = {}
        bench.clock.now += 1.0
        bench.writer.append(metric(1000))
        counts = [r.count for r in read_all(folder)[0] if isinstance(r, Lost)]
        assert len(counts) == outage
        assert sum(counts) == bench.writer.lost
    assert len(bench.told) == 4


@pytest.mark.fault(
    "F07",
    how="20,000 records of 2 KB while the folder is away",
    outcome="at most 16 MiB wait in memory, the rest is counted",
)
def test_memory_is_bounded_while_the_disk_is_away(bench: Bench, metric: Any) -> None:
    """Twenty thousand metrics of 2 KB wait in at most the ring's 16 MiB and what Python adds."""
    bench.disk.broken = {"create": errno.ENOENT}
    tracemalloc.start()
    for i in range(20_000):
        bench.writer.append(b"x" * (2000 + i % 7), expendable=True)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 10 << 20 < used < 18 << 20
    assert bench.writer.lost + bench.writer.waiting == 20_000
    assert bench.disk.calls["create"] == 1


def test_small_records_are_bounded_too(bench: Bench) -> None:
    """What Python needs around each record counts, not its bytes alone."""
    bench.writer._ring.limit = 1 << 20
    bench.disk.broken = {"create": errno.ENOENT}
    tracemalloc.start()
    for i in range(20_000):
        bench.writer.append(b"%030d" % i, expendable=True)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert used < 1.2 * (1 << 20)


@pytest.mark.fault(
    "F06",
    how="the 1st, 2nd, 3rd ... write, fsync, open or close fails, before or after it did its work",
    outcome="the segment is given up, the record written again whole: every record once, no gap",
)
@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("call", ["write", "sync", "create", "close"])
def test_any_single_failure_loses_nothing(
    tmp_path: Path,
    metric: Any,
    read_all: Any,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    late: bool,
    sync: bool,
) -> None:
    """Fail the first call, the second, ... until none is left to fail: every record once, no gap."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 900)
    n = 0
    while True:
        n += 1
        folder = tmp_path / str(n)
        bench = Bench(folder, sync=sync)
        bench.disk.nth, bench.disk.late = (call, n), late
        for i in range(1, 21):
            bench.writer.append(metric(i))
            bench.clock.now += 0.5
        bench.writer.close()
        records, damage = read_all(folder)

        assert [r.time for r in records] == list(range(1, 21))
        assert [r.seq for r in records] == list(range(1, 21))
        assert damage == []
        assert len(bench.told) <= 2
        if bench.disk.calls.get(call, 0) < n:
            break
    assert n > 2 or (call == "sync" and not sync)


@pytest.mark.fault(
    "F06",
    how="fsync fails for a minute",
    outcome="told once; never tried again on the same file",
)
def test_an_fsync_that_keeps_failing_is_told_once_and_costs_no_record(
    folder: Path, metric: Any, read_all: Any
) -> None:
    """Records go on to the kernel, in two segments rather than one each; a minute later it is tried anew."""
    bench = Bench(folder, sync=True)
    bench.writer.append(metric(0))
    bench.disk.broken = {"sync": errno.EIO}
    for i in range(1, 200):
        bench.writer.append(metric(i))
        assert len(read_all(folder)[0]) == i + 1
    assert ["fsync" in message for message in bench.told] == [True]
    assert len(list(folder.iterdir())) == 2

    bench.disk.broken, bench.clock.now = {}, 61.0
    bench.writer.append(metric(200))
    synced = bench.disk.calls["sync"]
    bench.writer.append(metric(201))

    assert bench.disk.calls["sync"] == synced + 1
    assert [r.seq for r in read_all(folder)[0]] == list(range(1, 203))
    assert len(bench.told) == 2
    assert len(list(folder.iterdir())) == 3
    bench.writer.close()


@pytest.mark.fault(
    "F07",
    how="EMFILE, EROFS, EACCES, ENOENT, EDQUOT, ESTALE on opening",
    outcome="one warning, one try a second; all records are there afterwards",
)
@pytest.mark.parametrize(
    "error", [errno.EMFILE, errno.EROFS, errno.EACCES, errno.ENOENT, errno.EDQUOT, errno.ESTALE]
)
def test_a_folder_that_refuses_is_told_once_and_tried_once_a_second(
    bench: Bench, folder: Path, param: Any, read_all: Any, error: int
) -> None:
    """500 records during the outage: one message, one try a second; then everything is there."""
    bench.disk.broken = {"create": error}
    for i in range(1, 501):
        bench.writer.append(param(i))
        bench.clock.now += 0.01
    assert bench.disk.calls["create"] <= 6
    assert len(bench.told) == 1
    assert os.strerror(error) in bench.told[0]

    bench.disk.broken, bench.clock.now = {}, 100.0
    bench.writer.append(param(501))
    records, damage = read_all(folder)

    assert [r.seq for r in records] == list(range(1, 502))
    assert damage == []
    assert "writable again" in bench.told[1]
    assert len(list(folder.iterdir())) == 1


def test_a_long_outage_leaves_no_litter(bench: Bench, folder: Path, param: Any) -> None:
    """Each try that writes not one whole record takes its file away again."""
    bench.disk.budget = 300
    for i in range(50):
        bench.disk.budget = max(bench.disk.budget, 300)
        bench.writer.append(param(i) + b" " * 400)
        bench.clock.now += 1.0

    assert list(folder.iterdir()) == []


def test_closing_tries_once_more_and_says_what_is_left(
    bench: Bench, folder: Path, param: Any, read_all: Any
) -> None:
    """`close` writes what waits, at once; what even then cannot be written is told with its number."""
    bench.disk.broken = {"create": errno.ENOSPC}
    bench.writer.append(param(1))
    bench.writer.append(param(2))
    bench.writer.close()
    assert "2 records could not be written" in bench.told[-1]
    bench.disk.broken = {}
    bench.writer.close()

    assert [r.time for r in read_all(folder)[0]] == [1, 2]


def test_an_alarm_that_raises_does_not_reach_the_training(folder: Path, param: Any) -> None:
    """Under ``-W error`` a warning is an exception; `append` still returns."""

    def alarm(message: str) -> None:
        raise UserWarning(message)

    disk = Disk()
    disk.broken = {"create": errno.EACCES}
    writer = JournalWriter(folder, "r", ops=disk, on_trouble=alarm)
    writer.append(param(1))

    assert (writer.waiting, writer.seq) == (1, 1)


def test_an_alarm_that_logs_is_heard_later(folder: Path, param: Any, read_all: Any) -> None:
    """The message about the disk may itself be logged to the run: no deadlock, nothing lost."""
    disk, clock = Disk(), Clock()
    disk.broken = {"create": errno.EACCES}
    writer = JournalWriter(
        folder, "r", ops=disk, clock=clock, on_trouble=lambda message: writer.append(param(len(message)))
    )
    writer.append(param(1))
    disk.broken, clock.now = {}, 1.0
    writer.append(param(2))
    writer.close()

    assert len(read_all(folder)[0]) == 4


@pytest.mark.parametrize("call", ["write", "sync", "create", "close"])
def test_a_small_file_is_old_or_new_never_a_mix(tmp_path: Path, call: str) -> None:
    """Whatever fails while a cursor is replaced, the old one stands, and no rubbish beside it."""
    path = tmp_path / "cursor.json"
    write_atomically(path, b"old")
    disk = Disk()
    disk.broken = {call: errno.EIO}
    with pytest.raises(OSError, match="Input/output error"):
        write_atomically(path, b"new" * 1000, disk)
    assert path.read_bytes() == b"old"
    disk.broken = {}
    write_atomically(path, b"new" * 1000, disk)

    assert path.read_bytes() == b"new" * 1000
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600

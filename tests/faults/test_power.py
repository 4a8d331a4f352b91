"""A power cut at any moment: what may be lost is what the promise says, and nothing is invented."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from runcast import codec
from runcast.courier.closing import close_dead
from runcast.courier.supervisor import Syncer
from runcast.journal import JournalReader, JournalWriter, Layout, write_atomically
from runcast.journal import writer as writer_module
from runcast.records import Metrics, Record, RunFinished, RunStarted

from .power import ForgetfulDisk

RUN = "run1"
CUTS = range(60)


class World:
    """One run on a forgetful disk."""

    def __init__(self, root: Path, *, sync: bool) -> None:
        (root / "project").mkdir(parents=True)
        self.root = root
        self.disk = ForgetfulDisk(root)
        self.layout = Layout(root / "project" / ".runcast")
        self.writer = JournalWriter(self.layout.journal(RUN), RUN, process="gone", sync=sync, ops=self.disk)
        self.writer.append(codec.encode(RunStarted(time=1, run=RUN, experiment="e", name="n")))

    def log(self, count: int) -> None:
        """Some more numbers."""
        for _ in range(count):
            seq = self.writer.seq + 1
            self.writer.append(codec.encode(Metrics(time=seq, step=seq, values={"loss": 1 / seq})))

    def after_a_cut(self, target: Path, luck: random.Random) -> list[Record]:
        """What is read after the machine came back."""
        self.disk.cut(target, luck)
        reader, records = JournalReader(Layout(target / "project" / ".runcast").journal(RUN)), []
        while batch := reader.read():
            records += batch
        return records


def check(records: list[Record], safe: int, said: int) -> None:
    """Everything up to number `safe` is there, once and in order; nothing that was not said."""
    seqs = [record.seq for record in records]
    assert seqs[:safe] == list(range(1, safe + 1))
    assert seqs == sorted(set(seqs))
    assert all(seq <= said for seq in seqs)
    for record in records:
        if isinstance(record, Metrics):
            assert (record.step, record.values) == (record.seq, {"loss": 1 / record.seq})


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several files even for few records."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 1500)


@pytest.mark.fault(
    "F04",
    how="a disk that keeps only what was synced, and of the rest nothing, some pages, zeros or a torn end",
    outcome='`durability="fsync"`: every record whose call returned is there after each of 60 cuts',
)
def test_with_fsync_a_power_cut_costs_nothing(tmp_path: Path, small_segments: None) -> None:
    """Every call that returned is read back after the cut, whatever the disk did with the rest."""
    luck = random.Random(4)  # noqa: S311  # repeatable, not secret
    world = World(tmp_path / "disk", sync=True)
    for cut in CUTS:
        world.log(luck.randrange(3))
        said = world.writer.seq
        check(world.after_a_cut(tmp_path / f"after{cut}", luck), said, said)


@pytest.mark.fault(
    "F04",
    how="the same disk; the courier syncs every half second",
    outcome="only what was said after the last sync may be lost; the rest is read in order, nothing invented",
)
def test_without_fsync_a_power_cut_costs_what_came_after_the_last_sync(
    tmp_path: Path, small_segments: None
) -> None:
    """What was said before the courier's last look is read back; later records whole or not at all."""
    luck = random.Random(5)  # noqa: S311  # repeatable, not secret
    world = World(tmp_path / "disk", sync=False)
    syncer = Syncer(world.layout, world.disk)
    lost = 0
    for cut in CUTS:
        world.log(luck.randrange(8))
        syncer.sync(RUN)
        safe = world.writer.seq
        world.log(luck.randrange(12))
        records = world.after_a_cut(tmp_path / f"after{cut}", luck)
        check(records, safe, world.writer.seq)
        lost += world.writer.seq - len(records)
    assert lost > 0  # else the disk forgets nothing, and the test shows nothing


@pytest.mark.fault(
    "F04",
    how="the machine comes back and a courier looks at what is left",
    outcome="the run ends `crashed` at its last record",
)
def test_after_a_power_cut_the_run_ends_as_crashed(tmp_path: Path) -> None:
    """A torn segment of a process that is gone gets its last word like any other."""
    luck = random.Random(6)  # noqa: S311  # repeatable, not secret
    world = World(tmp_path / "disk", sync=True)
    world.log(20)
    world.disk.cut(tmp_path / "after", luck)
    layout = Layout(tmp_path / "after" / "project" / ".runcast")

    assert close_dead(layout, RUN) == [world.writer.writer]
    *_, before, last = JournalReader(layout.journal(RUN)).read()
    assert isinstance(last, RunFinished)
    assert (last.status, last.time) == ("crashed", before.time)


@pytest.mark.fault(
    "F04",
    how="the same disk under the courier's cursor, cut before, during and after each write of it",
    outcome="the old cursor or the new one, never a mix; a cursor that was saved stays",
)
def test_a_cursor_survives_a_power_cut_whole(tmp_path: Path) -> None:
    """Whatever the disk forgot, the file is one that was written, and at least the last acknowledged one."""
    luck = random.Random(7)  # noqa: S311  # repeatable, not secret
    root = tmp_path / "disk"
    root.mkdir()
    disk = ForgetfulDisk(root)
    cuts = 0

    def cut(oldest: int, newest: int) -> None:
        nonlocal cuts
        cuts += 1
        disk.cut(tmp_path / f"after{cuts}", luck)
        left = tmp_path / f"after{cuts}" / "cursor.json"
        found = left.read_bytes() if left.exists() else b""
        assert found in [_cursor(number) if number >= 0 else b"" for number in range(oldest, newest + 1)]

    steps = _Steps(disk, cut)
    for number in range(12):
        steps.number = number
        write_atomically(root / "cursor.json", _cursor(number), steps)
        cut(number, number)
    assert cuts > 12 * 5


def _cursor(number: int) -> bytes:
    return b"%d " % number * 100


class _Steps(ForgetfulDisk):
    """Passes every call on, with a power cut before it."""

    def __init__(self, disk: ForgetfulDisk, cut: Callable[[int, int], None]) -> None:
        super().__init__(disk.root)
        self.number = 0
        self._disk, self._cut = disk, cut

    def _before(self) -> ForgetfulDisk:
        self._cut(self.number - 1, self.number)
        return self._disk

    def create(self, path: Path) -> int:
        return self._before().create(path)

    def write(self, fd: int, data: bytes) -> int:  # type: ignore[override]  # the base has os.write itself
        return self._before().write(fd, data)

    def sync(self, fd: int) -> None:
        self._before().sync(fd)

    def close(self, fd: int) -> None:
        self._before().close(fd)

    def replace(self, source: Path, target: Path) -> None:
        self._before().replace(source, target)

    def sync_path(self, path: Path) -> None:
        self._before().sync_path(path)

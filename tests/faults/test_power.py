"""A power cut at any moment: what may be lost is what the promise says, and nothing is invented."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from runcast import codec
from runcast.artifacts.collect import collect
from runcast.courier.closing import close_dead
from runcast.courier.syncing import FileSyncer, Syncer
from runcast.journal import Blobs, JournalReader, JournalWriter, Layout, settle, write_atomically
from runcast.journal import writer as writer_module
from runcast.records import Artifact, Metrics, Record, RunFinished, RunStarted
from runcast.testing import MemoryBackend
from runcast.testing.courier import Courier
from runcast.testing.golden import Story

from .power import ForgetfulDisk

RUN = "run1"
CUTS = range(60)
FILE_SIZES = {"small": 300, "large": 5000}
"""Bytes of the two files of an artifact: one is digested at the call, one when it is delivered."""


class World:
    """One run on a forgetful disk."""

    def __init__(self, root: Path, *, sync: bool) -> None:
        (root / "project").mkdir(parents=True)
        self.root = root
        self.sync = sync
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

    def log_files(self, count: int, luck: random.Random) -> None:
        """Some artifacts of a small and a large file; what is in them follows from the record's number."""
        blobs = Blobs(self.layout.blobs, sync=self.sync, ops=self.disk)
        for _ in range(count):
            seq = self.writer.seq + 1
            for name in FILE_SIZES:
                (self.root / name).write_bytes(content(seq, name))
            files, problems = collect(
                [self.root / name for name in FILE_SIZES], blobs, immutable=luck.random() < 0.5
            )
            assert not problems
            for name in FILE_SIZES:  # as a script may: what is kept is a snapshot
                (self.root / name).unlink()
            self.writer.append(codec.encode(Artifact(time=seq, name="a", type="t", digest="", files=files)))


def content(seq: int, name: str) -> bytes:
    """What a file of the record with this number holds."""
    return random.Random(f"{seq} {name}").randbytes(FILE_SIZES[name])  # noqa: S311


def left(after: Path) -> Blobs:
    """The files that a cut left, on a disk that is never cut again."""
    return Blobs(Layout(after / "project" / ".runcast").blobs, ops=ForgetfulDisk(after))


def check_files(records: list[Record], blobs: Blobs, safe: int) -> int:
    """Every file of the records up to number `safe` is read back whole; gives how many later ones are not."""
    bad = 0
    for record in records:
        for file in settle(record, blobs).files if isinstance(record, Artifact) else ():
            path = blobs.path(file.sha256)
            if not path.exists() or path.read_bytes() != content(record.seq, file.path):
                assert record.seq > safe, f"{file.path} of record {record.seq}, of which {safe} are safe"
                bad += 1
    return bad


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


@pytest.fixture
def small_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few kilobytes is kept as a snapshot that is digested later."""
    monkeypatch.setattr(importlib.import_module("runcast.artifacts.collect"), "LARGE", 1000)


@pytest.mark.fault(
    "F04",
    how="the same disk under artifacts of small and large, copied and linked files",
    outcome='`durability="fsync"`: every file of a call that returned is there, whole',
)
def test_with_fsync_a_power_cut_costs_no_file(tmp_path: Path, small_files_are_large: None) -> None:
    """The content of every file of every artifact is read back after the cut."""
    luck = random.Random(8)  # noqa: S311  # repeatable, not secret
    world = World(tmp_path / "disk", sync=True)
    for cut in CUTS[::3]:
        world.log_files(luck.randrange(3), luck)
        records = world.after_a_cut(tmp_path / f"after{cut}", luck)
        assert len(records) == world.writer.seq
        blobs = left(tmp_path / f"after{cut}")
        assert check_files(records, blobs, world.writer.seq) == 0


@pytest.mark.fault(
    "F04",
    how="the same files; the courier syncs them",
    outcome="only files of calls after its last look may be cut or missing",
)
def test_without_fsync_a_power_cut_costs_files_after_the_last_sync(
    tmp_path: Path, small_files_are_large: None
) -> None:
    """What an artifact named before the courier's last look is read back whole."""
    luck = random.Random(9)  # noqa: S311  # repeatable, not secret
    world = World(tmp_path / "disk", sync=False)
    syncer, files = Syncer(world.layout, world.disk), FileSyncer(world.layout, world.disk)
    bad = 0
    for cut in CUTS[::3]:
        world.log_files(luck.randrange(3), luck)
        syncer.sync(RUN)
        files.sync()
        safe = world.writer.seq
        world.log_files(luck.randrange(3), luck)
        records = world.after_a_cut(tmp_path / f"after{cut}", luck)
        assert len(records) >= safe
        blobs = left(tmp_path / f"after{cut}")
        bad += check_files(records, blobs, safe)
    assert bad > 0  # else the disk forgets nothing, and the test shows nothing


@pytest.mark.fault(
    "F04",
    how="a file that is shorter than its record says",
    outcome="refused by its name; the rest arrives",
)
def test_a_file_that_was_cut_is_refused_by_name(tmp_path: Path) -> None:
    """The message says what is left of it; nothing else is refused."""
    story = Story().start().artifact("fine", {"f": b"1"})
    half = story.file("weights", b"hal")
    whole = msgspec.structs.replace(half, size=6)
    story.say(Artifact, name="cut", type="file", files=[whole], digest="ab" * 32).finish()
    courier = Courier(MemoryBackend, {"store": "cut"}, tmp_path, story)
    courier.carry(courier.records)
    [(record, error)] = courier.rejected
    assert isinstance(record, Artifact)
    assert "'weights': only 3 of its 6 bytes are left" in str(error)
    assert list(MemoryBackend.read_back(courier.id, "cut").artifacts or {}) == ["fine"]
    MemoryBackend.clear("cut")


@pytest.mark.fault(
    "F04",
    how="power cuts while a snapshot gets its digest and its place among the files",
    outcome="it is in the one place or in the other",
)
def test_a_snapshot_survives_a_power_cut_while_it_is_settled(
    tmp_path: Path, small_files_are_large: None
) -> None:
    """Cut before and after each step, the file is read back whole."""
    luck = random.Random(10)  # noqa: S311  # repeatable, not secret
    world = World(tmp_path / "disk", sync=True)
    world.log_files(1, luck)
    cuts = 0

    def cut(oldest: int, newest: int) -> None:
        nonlocal cuts
        for _ in range(10):
            cuts += 1
            records = world.after_a_cut(tmp_path / f"after{cuts}", luck)
            blobs = left(tmp_path / f"after{cuts}")
            assert check_files(records, blobs, world.writer.seq) == 0

    *_, record = JournalReader(world.layout.journal(RUN)).read()
    settle(record, Blobs(world.layout.blobs, ops=_Steps(world.disk, cut)))
    cut(0, 0)
    assert cuts > 10 * 5


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

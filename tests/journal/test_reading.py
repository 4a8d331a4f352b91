"""Reading while somebody writes: each record once, in order, from any saved position."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runcast import codec
from runcast.journal import JournalReader, JournalWriter, Position, read_run
from runcast.journal import writer as writer_module
from runcast.records import Metrics, RunStarted


@pytest.mark.parametrize("start", range(12))
def test_each_record_once_however_often_the_reader_starts_again(
    folder: Path, metric: Any, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    """Two writers write, a reader reads a little, dies and restores its saved position, at random."""
    rng = random.Random(start)  # noqa: S311  # repeatable, not secret
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 1500)
    writers = [JournalWriter(folder, "r"), JournalWriter(folder, "r")]
    reader, saved = JournalReader(folder), b""
    seen: list[Any] = []
    unsaved: list[Any] = []
    for i in range(1, 401):
        rng.choice(writers).append(metric(i))
        if rng.random() < 0.2:
            unsaved += reader.read(most=rng.choice((1, 3, 1000)), most_bytes=rng.choice((100, 10_000)))
        if rng.random() < 0.1:
            saved, seen, unsaved = msgspec.json.encode(reader.position), seen + unsaved, []
        if rng.random() < 0.05:
            position = msgspec.json.decode(saved, type=Position) if saved else None
            reader, unsaved = JournalReader(folder, position), []
    seen += unsaved
    while batch := reader.read(most=7):
        seen += batch

    assert sorted(r.time for r in seen) == list(range(1, 401))
    for writer in writers:
        assert [r.seq for r in seen if r.writer == writer.writer] == list(range(1, writer.seq + 1))
    assert reader.damage == []


def test_reading_beside_a_writer_at_full_speed(
    folder: Path, metric: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread writes through many segments; the reader beside it misses none and doubles none."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 20_000)
    writer = JournalWriter(folder, "r")
    thread = threading.Thread(target=lambda: [writer.append(metric(i)) for i in range(1, 20_001)])
    thread.start()
    reader, seen = JournalReader(folder), []
    while (alive := thread.is_alive()) or len(seen) < 20_000:
        batch = reader.read()
        seen += [r.seq for r in batch]
        assert batch or alive
    thread.join()

    assert seen == list(range(1, 20_001))
    assert reader.damage == []


def test_half_a_line_is_waited_for(folder: Path, metric: Any) -> None:
    """A line that is still being written is not damage; it is read when it is whole."""
    writer = JournalWriter(folder, "r")
    writer.append(metric(1))
    writer.append(metric(2))
    (path,) = folder.iterdir()
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    reader = JournalReader(folder)

    assert [r.seq for r in reader.read()] == [1]
    path.write_bytes(data)
    assert [r.seq for r in reader.read()] == [2]
    assert reader.damage == []


def test_a_segment_is_seen_though_the_folder_looks_unchanged(folder: Path, metric: Any) -> None:
    """A file system's clock ticks slowly: two files made in one tick leave one and the same folder time."""
    JournalWriter(folder, "r").append(metric(1))
    reader = JournalReader(folder)
    assert len(reader.read()) == 1
    before = os.stat(folder)
    JournalWriter(folder, "r").append(metric(2))
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert [r.time for r in reader.read()] == [2]


def test_a_folder_that_is_not_there_yet_is_empty(folder: Path, metric: Any) -> None:
    """The courier may look before the trainer wrote its first record."""
    reader = JournalReader(folder)
    assert reader.read() == []
    JournalWriter(folder, "r").append(metric(1))

    assert len(reader.read()) == 1


def test_writers_are_merged_by_time(folder: Path, metric: Any) -> None:
    """Records of several writers come in the order of their times, as if one had written them."""
    writers = [JournalWriter(folder, "r") for _ in range(5)]
    times = random.Random(1).sample(range(1000), 300)  # noqa: S311  # repeatable, not secret
    for n, time in enumerate(sorted(times)):
        writers[n % 5].append(metric(time))

    assert [r.time for r in JournalReader(folder).read()] == sorted(times)


@pytest.mark.fault(
    "F18",
    how="times that go backwards in one writer",
    outcome="order by number",
)
def test_a_clock_that_jumps_back_changes_no_order_within_a_writer(folder: Path, metric: Any) -> None:
    """Numbers, not times, order what one process said."""
    writer = JournalWriter(folder, "r")
    times = [10**18, 5, 10**15, 0, 7]
    for time in times:
        writer.append(metric(time))

    assert [r.time for r in JournalReader(folder).read()] == times


def test_an_earlier_generation_comes_first(folder: Path, metric: Any) -> None:
    """After a resume on a machine whose clock is behind, the earlier records are still first."""
    JournalWriter(folder, "r", generation=1).append(metric(5))
    JournalWriter(folder, "r", generation=0).append(metric(900))

    assert [r.time for r in JournalReader(folder).read()] == [900, 5]


def test_headers_tell_who_wrote(folder: Path) -> None:
    """`segments` gives the header of each segment, with run, writer, process and pid."""
    writer = JournalWriter(folder, "r", process="p1", generation=3, courier=True)
    writer.append(codec.encode(RunStarted(time=1, run="r", experiment="e", name="n")))
    reader = JournalReader(folder)
    reader.read()
    (header,) = reader.segments()

    assert (header.run, header.writer, header.process) == ("r", writer.writer, "p1")
    assert (header.generation, header.courier, header.pid) == (3, True, os.getpid())


def test_limits_bound_a_batch(folder: Path, metric: Any) -> None:
    """`most` is exact; `most_bytes` stops a batch soon after; together the batches hold everything."""
    writer = JournalWriter(folder, "r")
    for i in range(50):
        writer.append(metric(i))
    reader = JournalReader(folder)

    assert len(reader.read(most=7)) == 7
    assert 1 <= len(reader.read(most_bytes=300)) <= 4
    rest = reader.read()
    assert rest[-1].time == 49


def test_a_whole_run_is_read_batch_by_batch(folder: Path) -> None:
    """`read_run` takes the run's folder and gives everything, a record longer than a chunk included."""
    writer = JournalWriter(folder, "r")
    long = "x" * 3_000_000
    for i in range(3):
        writer.append(codec.encode(Metrics(time=i, step=i, values={long: i})))

    assert [list(r.values) == [long] for r in read_run(folder.parent) if isinstance(r, Metrics)] == [True] * 3

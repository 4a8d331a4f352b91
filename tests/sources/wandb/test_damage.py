"""Logs that are cut, changed or no logs at all: what stands before comes, the rest is told."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wandb_reading import deliver, find, read

from runcast.errors import ConfigError, RuncastError, SourceError
from runcast.journal import Blobs
from runcast.plugins.source import FoundRun, Selection
from runcast.records import Lost, Metrics, RunFinished
from runcast.sources.wandb import WandbSource
from runcast.testing import STORIES, Story


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log of several blocks."""
    root = tmp_path_factory.mktemp("log")
    story = Story().start()
    for step in range(3000):
        story.metrics(step, loss=step / 7)
    deliver(story.finish(), root)
    [path] = root.glob("wandb/*/*.wandb")
    return path.read_bytes()


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_changed_bytes_never_break_a_reading(log: bytes, data: st.DataObject) -> None:
    """Any bytes changed, any cut: records come or a clear error, and an untouched beginning comes whole."""
    changed = bytearray(log)
    places = st.integers(0, len(log) - 1)
    wrong = data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=30))
    for at, byte in wrong:
        changed[at] = byte
    first = min(at for at, _ in wrong)
    cut = data.draw(st.just(len(log)) | places)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "offline-run-20200101_000000-r"
        home.mkdir()
        (home / "run-r.wandb").write_bytes(bytes(changed[:cut]))
        try:
            records = read(folder, Path(folder) / "blobs")
        except RuncastError:
            return
        rows = sum(isinstance(record, Metrics) for record in records)
        assert rows <= 3001
        # A damaged block costs what is left of it, and nothing before it.
        assert rows >= int(3000 * (min(first, cut) // 32768 * 32768) / len(log)) - 40


@given(st.binary(max_size=3000))
@settings(max_examples=60, deadline=None)
def test_any_payload_is_survived(content: bytes) -> None:
    """Well framed nonsense, which no checksum catches."""
    from runcast.formats import wandb_log

    position, out = 0, b""
    for start in range(0, max(len(content), 1), 300):
        part = bytes([0x12, len(content[start : start + 100])]) + content[start : start + 100]
        for payload in (content[start : start + 300], part):
            framed = wandb_log.frame(payload, position)
            position += len(framed)
            out += framed
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run-r.wandb").write_bytes(out)
        read(folder, Path(folder) / "blobs")


def test_a_damaged_block_is_told_once(log: bytes, tmp_path: Path) -> None:
    """Rows before and behind it come, and one `Lost` names the place."""
    changed = bytearray(log)
    changed[40_000] ^= 0xFF
    (tmp_path / "run-r.wandb").write_bytes(bytes(changed))
    records = read(tmp_path, tmp_path / "b")
    steps = [record.step for record in records if isinstance(record, Metrics)]
    assert steps[0] == 0
    assert steps[-1] == 2999
    assert 2000 < len(steps) < 3000
    reasons = [record.reason for record in records if isinstance(record, Lost) and "byte" in record.reason]
    assert "checksum" in reasons[0]
    assert len(reasons) <= 2
    assert isinstance(records[-1], RunFinished)


def test_no_log(tmp_path: Path) -> None:
    """Neither a missing folder, nor a file of another kind, nor a run that is gone is a traceback."""
    with pytest.raises(ConfigError, match="holds no W&B run"):
        find(tmp_path / "nowhere")
    (tmp_path / "run-x.wandb").write_bytes(b"something else")
    [record] = [r for r in read(tmp_path, tmp_path / "b") if isinstance(r, Lost)]
    assert "header" in record.reason
    source = WandbSource(str(tmp_path))
    with pytest.raises(SourceError, match="not in"):
        list(source.read(FoundRun(id="y", experiment="e", name="n"), Blobs(tmp_path)))


def test_a_residual_that_is_gone_or_damaged(tmp_path: Path) -> None:
    """Without it the run comes as W&B shows it, and says so; a bad line costs itself."""
    deliver(STORIES["training"](), tmp_path)
    [residual] = tmp_path.glob("wandb/*/files/runcast/residual.jsonl")
    lines = residual.read_bytes().splitlines(keepends=True)
    residual.write_bytes(b"".join([*lines[:4], b"{nonsense\n", *lines[5:]]))
    [lost] = [r for r in read(tmp_path, tmp_path / "b") if isinstance(r, Lost)]
    assert (lost.count, "residual" in lost.reason) == (1, True)
    residual.unlink()
    records = read(tmp_path, tmp_path / "b")
    assert "residual" in next(r for r in records if isinstance(r, Lost)).reason
    points = [(r.step, k) for r in records if isinstance(r, Metrics) for k in r.values]
    assert len(points) == 24 * 2 + 3 * 2


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """Ten times the rows, the same memory."""
    peaks = []
    for rows in (2_000, 12_000):
        root = tmp_path / str(rows)
        root.mkdir()
        story = Story().start()
        for step in range(rows):
            story.metrics(step, loss=step / 7)
        deliver(story.finish(), root)
        del story
        source = WandbSource(str(root))
        [found] = source.runs(Selection())
        tracemalloc.start()
        assert sum(1 for _ in source.read(found, Blobs(root / "b"))) == rows + 2
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_500_000

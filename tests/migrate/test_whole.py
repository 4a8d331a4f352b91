"""A journal that is staged is whole or not there: killed processes, full disks, runs that go on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from runcast.journal import FileOps, JournalReader, JournalWriter, Layout, ProcessLock, read_run
from runcast.migrate import stage as staging
from runcast.migrate.stage import stage
from runcast.plugins.source import Selection
from runcast.records import RunFinished

from .toy import Toy, a_run, bring


def test_what_a_killed_reader_left_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its segment and its note are there, as after ``kill -9``; the next reading has each record once."""
    source, layout = Toy(), Layout(tmp_path)
    lock = ProcessLock(layout.alive)
    source.runs_ = {"a": a_run(points=20)}
    (found,) = source.runs(Selection())

    source.breaks = {"a": 7}
    with monkeypatch.context() as patch:
        patch.setattr(staging._Journal, "discard", lambda self: None)
        patch.setattr(staging, "TOGETHER", 2)
        with pytest.raises(Exception, match="broke"):
            stage(layout, source, found, process=lock.name)
    assert list(layout.runs.rglob("*.rcj"))
    source.breaks = {}
    run = stage(layout, source, found, process=lock.name).run
    assert len(list(read_run(layout.run(run)))) == 24


def test_a_segment_of_somebody_else_is_never_touched(tmp_path: Path) -> None:
    """A script went on with a migrated run: its records stay, whatever happens to a later staging."""
    source, layout = Toy(), Layout(tmp_path)
    lock = ProcessLock(layout.alive)
    source.runs_ = {"a": a_run()}
    (found,) = source.runs(Selection())
    run = stage(layout, source, found, process=lock.name).run
    other = JournalWriter(layout.journal(run), run, generation=1)
    other.append(b'{"kind":"metrics","time":5,"step":99,"values":{"x":1.0}}')
    other.close()
    source.runs_ = {"a": a_run(points=9)}
    source.breaks = {"a": 12}
    with pytest.raises(Exception, match="broke"):
        stage(layout, source, found, process=lock.name)
    steps = [getattr(record, "step", None) for record in read_run(layout.run(run))]
    assert 99 in steps
    assert 8 not in steps


def test_a_full_disk_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record waits in memory for a disk that refuses, to be forgotten: the run is not staged at all."""

    def refuse(self: FileOps, fd: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    source, layout = Toy(), Layout(tmp_path)
    lock = ProcessLock(layout.alive)
    source.runs_ = {"a": a_run()}
    (found,) = source.runs(Selection())
    with monkeypatch.context() as patch:
        patch.setattr(FileOps, "write", refuse)
        with pytest.raises(OSError, match="No space left"):
            stage(layout, source, found, process=lock.name)
    run = stage(layout, source, found, process=lock.name).run
    assert len(list(read_run(layout.run(run)))) == 9


def test_a_run_that_goes_on_gets_no_last_word(toy: Toy, tmp_path: Path) -> None:
    """It runs in its tracker, so it runs here, however often it is brought; later it is over."""
    running, there = a_run()[:-1], tmp_path / "there"
    toy.runs_ = {"a": running}
    for _ in range(2):
        plan, _ = bring(f"local:{there}")
        run = plan.manifest.runs["a"].run
        assert not [r for r in read_run(Layout(there).run(run)) if isinstance(r, RunFinished)]
        toy.runs_ = {"a": [*running, *a_run(points=8)[8:-1]]}
    toy.runs_ = {"a": a_run(points=8)}
    plan, progress = bring(f"local:{there}")
    assert progress.delivered == 1
    reader = JournalReader(Layout(there).journal(run), run=run)
    words = [r for r in reader.read() if isinstance(r, RunFinished)]
    assert {word.status for word in words} == {"finished"}

    import runcast

    (info,) = runcast.runs(dir=there)
    assert (info.status, info.metrics["x"].count) == ("finished", 8)

"""A migration from end to end, into runcast's own catalog and into real trackers, with faults on the way."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from runcast.errors import UsageError
from runcast.journal import Layout, read_run
from runcast.migrate import manifests, migrate, prepare
from runcast.migrate.verify import verify
from runcast.plugins.source import Selection
from runcast.records import Metrics, RunStarted

from .toy import Toy, a_run, bring


def test_every_run_arrives_whole(toy: Toy, tmp_path: Path) -> None:
    """Runs, their order, their parents; and the destination reads back the same."""
    toy.runs_ = {"c": a_run("c", parent="p"), "p": a_run("p"), "q": a_run("q", points=50)}
    toy.parents = {"c": "p"}
    plan, progress = bring(f"local:{tmp_path / 'there'}")
    assert (progress.runs, progress.delivered, progress.failed) == (3, 3, 0)
    assert toy.reads == ["p", "c", "q"]
    assert all(entry.ref is not None for entry in plan.manifest.runs.values())
    assert [result.ok for result in verify(prepare("toy:shelf", f"local:{tmp_path / 'there'}"))] == [True] * 3


def test_a_second_time_nothing_is_read_or_written(toy: Toy, tmp_path: Path) -> None:
    """A source that can tell that nothing changed is not even read."""
    toy.runs_ = {"a": a_run()}
    bring(f"local:{tmp_path / 'there'}")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*.rcj")}
    _, progress = bring(f"local:{tmp_path / 'there'}")
    assert (progress.unchanged, progress.records) == (1, 0)
    assert toy.reads == ["a"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*.rcj")} == before


def test_what_grew_is_added_and_verified(toy: Toy, tmp_path: Path) -> None:
    """A source that went on: the new points, once."""
    dest = f"local:{tmp_path / 'there'}"
    toy.runs_ = {"a": a_run(points=3)}
    bring(dest)
    toy.runs_ = {"a": a_run(points=6)}
    plan, progress = bring(dest)
    assert progress.points == 6
    (result,) = verify(plan)
    assert result.ok
    assert result.points == 12


def test_a_run_that_fails_stops_no_other(toy: Toy, tmp_path: Path) -> None:
    """It is named with its reason, and comes when its source is mended."""
    dest = f"local:{tmp_path / 'there'}"
    toy.runs_ = {"a": a_run(), "b": a_run(), "c": a_run()}
    toy.breaks = {"b": 4}
    plan, progress = bring(dest)
    assert (progress.delivered, progress.failed) == (2, 1)
    assert plan.manifest.runs["b"].reason == "run b broke"
    toy.breaks = {}
    plan, progress = bring(dest)
    assert (progress.unchanged, progress.delivered, progress.failed) == (2, 1, 0)
    assert all(result.ok for result in verify(plan))


def test_half_a_run_never_arrives(toy: Toy, tmp_path: Path) -> None:
    """What broke off stays in the journal and is not delivered."""
    toy.runs_ = {"a": a_run()}
    toy.breaks = {"a": 5}
    plan, _ = bring("tensorboard:./tb")
    assert not list(tmp_path.glob("tb/**/events*"))
    assert plan.manifest.runs["a"].state == "failed"


def test_a_python_that_cannot_deliver_is_told(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes die before they say a word: the migration says so, and ends; the next one delivers."""
    dest = f"local:{tmp_path / 'there'}"
    toy.runs_ = {"a": a_run()}
    broken = tmp_path / "python9"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setattr("runcast.courier.command.interpreter", lambda: str(broken))
        plan, progress = bring(dest, patience=0.5)
    assert progress.delivered == 0
    reason = plan.manifest.runs["a"].reason
    assert f"ended with code 7 before its first word: can {broken} import runcast?" in reason
    _, progress = bring(dest)
    assert progress.delivered == 1


def test_only_what_is_selected_is_read(toy: Toy, tmp_path: Path) -> None:
    """By id, by experiment, by time."""
    toy.runs_ = {"a": a_run(), "b": a_run()}
    dest = f"local:{tmp_path / 'there'}"
    assert bring(dest, selection=Selection(runs=("b",)))[1].runs == 1
    with pytest.raises(UsageError, match="it has 2 runs in the experiments 'exp'"):
        bring(dest, selection=Selection(experiment="other*"))
    assert bring(dest, selection=Selection(since=2_000_000_000_000_000_000))[1].runs == 0
    assert toy.reads == ["b"]


def test_original_times_reach_the_tracker(toy: Toy, tmp_path: Path) -> None:
    """TensorBoard's own reader shows the source's times, not today's."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    toy.runs_ = {"a": a_run(points=4)}
    bring("tensorboard:./tb")
    (events,) = {path.parent for path in tmp_path.glob("tb/*/*/events*") if "hparams" not in path.name}
    points = EventAccumulator(str(events)).Reload().Scalars("x")
    said = [r for r in toy.runs_["a"] if isinstance(r, Metrics)]
    assert [(p.step, p.value) for p in points] == [(r.step, r.values["x"]) for r in said]
    assert [round(p.wall_time) for p in points] == [round(r.time / 1e9) for r in said]


def test_the_other_side_is_told_where_a_run_came_from(toy: Toy, tmp_path: Path) -> None:
    """The origin travels with the run."""
    toy.runs_ = {"a": a_run()}
    plan, _ = bring(f"local:{tmp_path / 'there'}")
    layout = Layout(tmp_path / "there")
    first = next(iter(read_run(layout.run(plan.manifest.runs["a"].run))))
    assert isinstance(first, RunStarted)
    assert first.origin == {"tracker": "toy"}


def test_migrations_are_listed(toy: Toy, tmp_path: Path) -> None:
    """Each pair of places is one migration, however often it is run."""
    toy.runs_ = {"a": a_run()}
    for _ in range(2):
        bring("tensorboard:./one")
    bring("tensorboard:./two")
    found = manifests(tmp_path / "rc")
    assert len(found) == 2
    assert {m.source for m in found} == {"toy:shelf"}


def test_verify_finds_what_was_changed_behind_its_back(toy: Toy, tmp_path: Path) -> None:
    """Another value in the source afterwards: named, with both points."""
    dest = f"local:{tmp_path / 'there'}"
    toy.runs_ = {"a": a_run()}
    plan, _ = bring(dest)
    spoilt = a_run(lr=0.5)
    spoilt[4] = Metrics(time=spoilt[4].time, step=1, values={"x": 99.0, "n": 1})
    toy.runs_ = {"a": spoilt}
    (result,) = verify(plan)
    assert not result.ok
    by_name = {difference.name: difference for difference in result.differences}
    assert set(by_name) == {"x", "lr"}
    assert "99.0 at step 1" in by_name["x"].source
    assert "0.5 at step 1" in by_name["x"].destination


@pytest.mark.parametrize(
    ("source", "dest", "why"),
    [
        ("nowhere", "local:x", "is no address"),
        ("toy:shelf", "nothing:x", "no backend 'nothing'"),
        ("elsewhere:x", "local:x", "no source 'elsewhere'"),
        ("toy:shelf", "wandb:a/b/c", "ENTITY/PROJECT"),
        ("local:here", "local:here", "the same place"),
    ],
)
def test_a_wrong_address_is_explained(toy: Toy, source: str, dest: str, why: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(UsageError, match=why):
        prepare(source, dest)


def test_a_source_that_raises_anything_is_reported(toy: Toy, tmp_path: Path) -> None:
    """A plugin's own mistake is one run's trouble."""
    toy.runs_ = {"a": a_run(), "b": a_run()}
    toy.runs_["a"].insert(2, object())  # type: ignore[arg-type]  # on purpose
    plan, progress = bring(f"local:{tmp_path / 'there'}")
    assert (progress.delivered, progress.failed) == (1, 1)
    assert plan.manifest.runs["a"].reason


def test_staging_can_be_sent_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of their own stage runcast's journals as well as this one does."""
    import runcast

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    for number in range(3):
        run = runcast.start("e", name=f"r{number}", backends=["local"], config={"delivery": "later"})
        run.log({"x": number})
        run.finish(timeout=0)
    plan = prepare("local:", f"local:{tmp_path / 'there'}")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context) as pool:
        progress = migrate(plan, executor=pool)
    assert progress.delivered == 3
    assert all(result.ok for result in verify(plan))

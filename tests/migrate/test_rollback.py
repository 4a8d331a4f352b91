"""Taking back: what one migration made goes, and nothing else; an edit is not run over."""

from __future__ import annotations

from pathlib import Path

import pytest

import runcast
from runcast.errors import UsageError
from runcast.journal import JournalWriter, Layout, read_run
from runcast.migrate.rollback import Removed, rollback
from runcast.migrate.verify import verify

from .toy import Toy, a_run, bring


def back(tmp_path: Path, id_: str, **options: object) -> list[Removed]:
    """One rollback."""
    return rollback(tmp_path / "rc", id_, **options)  # type: ignore[arg-type]  # named by the tests


def edit(layout: Layout, run: str) -> None:
    """Somebody goes on with a run in a runcast folder."""
    writer = JournalWriter(layout.journal(run), run, generation=9)
    writer.append(b'{"kind":"tags","time":5,"values":{"mine":"yes"}}')
    writer.close()


def test_local_runs_go_with_their_journals(toy: Toy, tmp_path: Path) -> None:
    """What another migration brought into the same folder stays; a second rollback finds nothing to do."""
    there = tmp_path / "there"
    toy.runs_ = {"c": a_run("c", parent="p"), "p": a_run("p")}
    plan, _ = bring(f"local:{there}")
    toy.address = "another"
    other, _ = bring(f"local:{there}")
    assert len(runcast.runs(dir=there)) == 4
    assert [r.ok for r in back(tmp_path, plan.manifest.id)] == [True, True]
    assert {info.id for info in runcast.runs(dir=there)} == {e.run for e in other.manifest.runs.values()}
    assert back(tmp_path, plan.manifest.id) == []


def test_after_a_rollback_the_runs_can_come_again(toy: Toy, tmp_path: Path) -> None:
    """As if nothing had been."""
    dest = f"local:{tmp_path / 'there'}"
    toy.runs_ = {"a": a_run()}
    plan, _ = bring(dest)
    back(tmp_path, plan.manifest.id)
    toy.address = "shelf"
    again, progress = bring(dest)
    assert progress.delivered == 1
    assert all(result.ok for result in verify(again))


def test_an_edited_run_stays_without_force(toy: Toy, tmp_path: Path) -> None:
    """Somebody's work may be in it."""
    there = tmp_path / "there"
    toy.runs_ = {"a": a_run(), "b": a_run()}
    plan, _ = bring(f"local:{there}")
    edited = plan.manifest.runs["a"].run
    edit(Layout(there), edited)
    results = {r.source: r for r in back(tmp_path, plan.manifest.id[:4])}
    assert (results["a"].ok, results["b"].ok) == (False, True)
    assert "was edited" in results["a"].reason
    assert list(read_run(Layout(there).run(edited)))
    (last,) = back(tmp_path, plan.manifest.id, force=True)
    assert last.ok
    assert not Layout(there).run(edited).exists()


def test_tensorboard_folders_go_and_strangers_stay(toy: Toy, tmp_path: Path) -> None:
    """By the folder's own marker; an event file that somebody put beside stays."""
    toy.runs_ = {"a": a_run("a"), "b": a_run("b")}
    plan, _ = bring("tensorboard:./tb")
    folders = {e.source: tmp_path / "tb" / e.ref.id for e in plan.manifest.runs.values() if e.ref}
    foreign = folders["b"] / "events.out.tfevents.1.stranger"
    foreign.write_bytes(b"")
    results = {r.source: r for r in back(tmp_path, plan.manifest.id, force=True)}
    assert all(r.ok for r in results.values())
    assert not folders["a"].exists()
    assert [path.name for path in folders["b"].iterdir()] == [foreign.name]
    assert "did not write" in results["b"].reason


@pytest.mark.slow
def test_mlflow_runs_go_to_its_trash(toy: Toy, tmp_path: Path) -> None:
    """Its own client finds them only among the deleted; and the same runs can come again."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    toy.runs_ = {"a": a_run()}
    plan, progress = bring("mlflow:sqlite:///m.db")
    assert progress.delivered == 1, plan.manifest
    client = MlflowClient("sqlite:///m.db")
    (experiment,) = [e.experiment_id for e in client.search_experiments() if e.name == "exp"]
    mine = client.create_run(experiment).info.run_id
    (result,) = back(tmp_path, plan.manifest.id, force=True)
    assert "mlflow gc" in result.reason
    assert [run.info.run_id for run in client.search_runs([experiment])] == [mine]
    assert len(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == 1
    assert bring("mlflow:sqlite:///m.db")[1].delivered == 1
    assert len(client.search_runs([experiment])) == 2


def test_offline_wandb_folders_go(toy: Toy, tmp_path: Path) -> None:
    """No folder of the run is left."""
    toy.runs_ = {"a": a_run()}
    plan, progress = bring("wandb:./wandb")
    assert progress.delivered == 1
    assert list(tmp_path.glob("wandb/offline-run-*"))
    assert all(r.ok for r in back(tmp_path, plan.manifest.id, force=True))
    assert not list(tmp_path.glob("wandb/offline-run-*"))


def test_an_unknown_id_is_explained(tmp_path: Path) -> None:
    """With where to look."""
    with pytest.raises(UsageError, match="runcast migrations"):
        back(tmp_path, "feedbeef")

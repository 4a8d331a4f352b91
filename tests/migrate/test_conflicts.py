"""A destination that was edited is reported and left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from runcast.errors import JournalError
from runcast.journal import Layout, read_run
from runcast.migrate import migrate, prepare

from .test_rollback import edit
from .toy import Toy, a_run, bring


def test_an_edited_run_is_left_alone_until_told_otherwise(toy: Toy, tmp_path: Path) -> None:
    """The new points wait; ``add`` brings them; what was edited stays."""
    there = tmp_path / "there"
    toy.runs_ = {"a": a_run(points=3)}
    plan, _ = bring(f"local:{there}")
    run = plan.manifest.runs["a"].run
    edit(Layout(there), run)
    before = len(list(read_run(Layout(there).run(run))))
    toy.runs_ = {"a": a_run(points=5)}
    for _ in range(2):
        plan, progress = bring(f"local:{there}")
        assert (progress.conflicts, progress.delivered) == (1, 0)
        assert "was edited in the destination" in plan.manifest.runs["a"].reason
    assert len(list(read_run(Layout(there).run(run)))) == before
    _, progress = bring(f"local:{there}", on_conflict="add")
    assert (progress.conflicts, progress.delivered, progress.points) == (0, 1, 4)
    records = list(read_run(Layout(there).run(run)))
    assert any(getattr(record, "values", None) == {"mine": "yes"} for record in records)
    toy.runs_ = {"a": a_run(points=6)}
    assert bring(f"local:{there}")[1].delivered == 1


def test_an_edit_of_a_run_that_did_not_change_is_nobodys_business(toy: Toy, tmp_path: Path) -> None:
    """There is nothing to add, so nothing is in conflict."""
    there = tmp_path / "there"
    toy.runs_ = {"a": a_run()}
    plan, _ = bring(f"local:{there}")
    edit(Layout(there), plan.manifest.runs["a"].run)
    assert bring(f"local:{there}")[1].unchanged == 1


def test_a_run_that_is_gone_is_said(toy: Toy, tmp_path: Path) -> None:
    """It is not made again behind the back of whoever deleted it."""
    import shutil

    there = tmp_path / "there"
    toy.runs_ = {"a": a_run(points=3)}
    plan, _ = bring(f"local:{there}")
    shutil.rmtree(Layout(there).run(plan.manifest.runs["a"].run))
    toy.runs_ = {"a": a_run(points=4)}
    plan, progress = bring(f"local:{there}")
    assert progress.conflicts == 1
    assert "--again" in plan.manifest.runs["a"].reason


def test_two_at_once_are_refused(toy: Toy, tmp_path: Path) -> None:
    """The second one is told which migration is at work."""
    toy.runs_ = {"a": a_run()}
    plan = prepare("toy:shelf", f"local:{tmp_path / 'there'}")
    with plan.folder.claimed(), pytest.raises(JournalError, match="another process is at work"):
        migrate(plan)


def test_an_interrupt_is_no_success(toy: Toy, tmp_path: Path) -> None:
    """Ctrl-C while runs are on their way: none is called delivered that is not; the next call ends it."""

    def interrupt(progress: object) -> None:
        raise KeyboardInterrupt

    toy.runs_ = {"a": a_run(), "b": a_run()}
    plan = prepare("toy:shelf", "tensorboard:./tb")
    with pytest.raises(KeyboardInterrupt):
        migrate(plan, tell=interrupt)
    assert all(entry.state != "delivered" for entry in plan.manifest.runs.values())
    assert bring("tensorboard:./tb")[1].delivered == 2


def test_a_destination_that_refuses_says_why(toy: Toy, tmp_path: Path) -> None:
    """Each run has the reason; mended, the same command goes on."""
    toy.runs_ = {"a": a_run()}
    (tmp_path / "tb").write_text("in the way")
    plan, progress = bring("tensorboard:./tb")
    assert progress.failed == 1
    assert "cannot write to" in plan.manifest.runs["a"].reason
    (tmp_path / "tb").unlink()
    assert bring("tensorboard:./tb")[1].delivered == 1

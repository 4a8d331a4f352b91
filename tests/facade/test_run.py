"""The facade as a script sees it; what was said is read back from the journal."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.records import (
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    RunFinished,
    RunStarted,
    Tags,
)

from .saying import LATER, of, said


def test_everything_that_is_said_is_recorded_in_order(project: Path) -> None:
    """Start, params, tags, note, metrics, text, finish: one record each, as said."""
    with runcast.start("exp", name="n", params={"lr": 0.1}, tags=["a"], notes="why", config=LATER) as run:
        run.log({"loss": 0.5}, step=3)
        run.log({"sample": runcast.Text("hello", caption="c")}, step=3)

    started, params, tags, note, metrics, media, finished = said(run)
    assert isinstance(started, RunStarted)
    assert (started.experiment, started.name, started.resumed) == ("exp", "n", False)
    assert isinstance(params, Params)
    assert params.values == {"lr": 0.1}
    assert isinstance(tags, Tags)
    assert tags.values == {"a": ""}
    assert isinstance(note, Note)
    assert note.text == "why"
    assert isinstance(metrics, Metrics)
    assert (metrics.step, metrics.values) == (3, {"loss": 0.5})
    assert isinstance(media, Media)
    assert (media.key, media.step, media.text, media.caption) == ("sample", 3, "hello", "c")
    assert isinstance(finished, RunFinished)
    assert finished.status == "finished"


def test_a_note_can_be_taken_away(project: Path) -> None:
    """None is no text that reads "None"."""
    with runcast.start("exp", notes="why", config=LATER) as run:
        run.set_note(None)

    assert [note.text for note in of(run, Note)] == ["why", ""]


def test_a_call_on_the_module_goes_to_the_current_run(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`runcast.log` follows the run that was started last; without one it warns and goes on."""
    with runcast.start("outer", config=LATER) as outer:
        with runcast.start("inner", config=LATER) as inner:
            assert runcast.current_run() is inner
            runcast.log({"a": 1})
        assert runcast.current_run() is outer
        runcast.log({"b": 2})
    assert runcast.current_run() is None
    runcast.log({"c": 3})

    assert [r.values for r in of(inner, Metrics)] == [{"a": 1}]
    assert [r.values for r in of(outer, Metrics)] == [{"b": 2}]


def test_without_a_step_each_call_is_the_next_one(run: runcast.Run) -> None:
    """Steps count from the highest so far."""
    run.log({"a": 1})
    run.log({"a": 2})
    run.log({"a": 3}, step=10)
    run.log({"a": 4})
    run.log({"a": 5}, step=4)
    run.log({"a": 6})

    assert [r.step for r in of(run, Metrics)] == [0, 1, 10, 11, 4, 12]


def test_nested_names_join_with_a_slash(run: runcast.Run) -> None:
    """A dict of dicts is a flat set of metrics."""
    run.log({"train": {"loss": 1.0, "acc": {"top1": 0.5}}})

    assert of(run, Metrics)[0].values == {"train/loss": 1.0, "train/acc/top1": 0.5}


def test_numbers_of_other_libraries_are_numbers(run: runcast.Run) -> None:
    """NumPy scalars and 0-d tensors keep their exact value."""
    import numpy as np
    import torch

    run.log({"f32": np.float32(0.1), "i64": np.int64(2**62), "b": np.bool_(True), "t": torch.tensor(0.25)})

    assert of(run, Metrics)[0].values == {"f32": float(np.float32(0.1)), "i64": 2**62, "b": True, "t": 0.25}


@pytest.mark.parametrize(
    ("values", "step", "named"),
    [
        ({"bad": "text"}, 0, "bad"),
        ({"bad": None}, 0, "bad"),
        ({"bad": [1, 2]}, 0, "bad"),
        ({"bad": object()}, 0, "bad"),
        ({"good": 1.0}, 2**63, "step"),
        ({"good": 1.0}, 0.5, "step"),
        (None, 0, ""),
    ],
)
def test_misuse_is_named_and_training_goes_on(
    run: runcast.Run, caplog: pytest.LogCaptureFixture, values: Any, step: Any, named: str
) -> None:
    """No exception, one warning that names the key, one `lost` record; the next call works."""
    with caplog.at_level(logging.WARNING, "runcast"):
        run.log(values, step=step)
        run.log({"next": 1.0}, step=1)

    assert named in caplog.text
    (lost,) = of(run, Lost)
    assert named in lost.key
    assert of(run, Metrics)[-1].values == {"next": 1.0}


def test_the_rest_of_a_call_survives_its_bad_part(run: runcast.Run) -> None:
    """One bad value does not take the good ones along."""
    run.log({"good": 1.0, "bad": "text", "fine": 2})

    assert of(run, Metrics)[0].values == {"good": 1.0, "fine": 2}


def test_the_same_misuse_warns_once_and_is_counted(
    run: runcast.Run, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand bad values make one warning, and the count is in the journal."""
    with caplog.at_level(logging.WARNING, "runcast"):
        for _ in range(1000):
            run.log({"bad": "text"})
    run.finish()

    assert len(caplog.records) == 1
    assert sum(lost.count for lost in of(run, Lost)) == 1000


def test_strict_turns_misuse_into_exceptions(project: Path) -> None:
    """For tests: the message names the key; the record of the loss is kept all the same."""
    run = runcast.start("exp", config=LATER, strict=True)
    with pytest.raises(runcast.UsageError, match="bad"):
        run.log({"bad": "text"})
    run.finish()
    with pytest.raises(runcast.UsageError, match="finished"):
        run.log({"a": 1})


def test_a_call_after_finish_does_nothing_and_says_so(
    run: runcast.Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Use after finish is no error."""
    run.finish()
    with caplog.at_level(logging.WARNING, "runcast"):
        run.log({"a": 1})
        run.log_params({"a": 1})
        run.finish()

    assert "finished" in caplog.text
    assert isinstance(said(run)[-1], RunFinished)
    assert len(of(run, RunFinished)) == 1


def test_resume_by_id_goes_on_where_the_run_stopped(project: Path) -> None:
    """Same run, next generation, next step; the first name and experiment stay."""
    with runcast.start("exp", name="n", config=LATER) as first:
        first.log({"a": 1}, step=41)
    with runcast.start(resume=first.id, config=LATER) as second:
        second.log({"a": 2})

    assert (second.id, second.name, second.experiment) == (first.id, "n", "exp")
    assert [(r.step, r.values["a"]) for r in of(first, Metrics)] == [(41, 1), (42, 2)]
    assert [r.resumed for r in of(first, RunStarted)] == [False, True]


def test_resume_from_a_checkpoint_takes_the_checkpoints_step(project: Path) -> None:
    """`state_dict` is JSON-like and holds the step of its time."""
    with runcast.start("exp", config=LATER) as first:
        first.log({"a": 1}, step=10)
        state = first.state_dict()
        first.log({"a": 1}, step=20)
    with runcast.start(resume=state, config=LATER) as second:
        second.log({"a": 2})

    assert [r.step for r in of(first, Metrics)] == [10, 20, 11]


def test_an_unknown_run_cannot_be_resumed(project: Path) -> None:
    """The message names the id, the folder and the command that lists runs."""
    with pytest.raises(runcast.ConfigError, match=r"no run 'nope' .*`runcast runs`"):
        runcast.start(resume="nope", config=LATER)
    with pytest.raises(runcast.ConfigError):
        runcast.start(resume="../../etc", config=LATER)


def test_a_child_names_its_parent(project: Path) -> None:
    """Nested runs share the experiment."""
    with runcast.start("exp", config=LATER) as parent, parent.child("fold-1", config=LATER) as child:
        child.log({"a": 1})

    (started,) = of(child, RunStarted)
    assert (started.parent, started.experiment, started.name) == (parent.id, "exp", "fold-1")


def test_other_ranks_hold_the_same_type_muted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 1 can call everything; nothing is written; both ranks agree on the id."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RUNCAST_RUN_ID", "job-7")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("runcast.starting._started", 0)
    with runcast.start("exp", params={"lr": 1}, config=LATER) as muted:
        muted.log({"a": 1})
        muted.log_artifact("nothing-here")
        with muted.child("c") as child:
            child.log({"b": 1})
    assert not Path(".runcast").exists()

    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr("runcast.starting._started", 0)
    with runcast.start("exp", config=LATER) as loud:
        loud.log({"a": 1})
    assert type(muted) is type(loud)
    assert muted.id == loud.id
    assert len(of(loud, Metrics)) == 1


def test_all_ranks_merge_into_one_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ranks="all"`: every rank's records stand in one run, which only rank 0 starts and ends."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RUNCAST_RUN_ID", "job-8")
    runs = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setattr("runcast.starting._started", 0)
        runs.append(runcast.start("exp", config={**LATER, "ranks": "all"}))
    for number, run in enumerate(runs):
        run.log({f"rank{number}/loss": 1.0}, step=0)
    for run in reversed(runs):
        run.finish()

    assert runs[0].id == runs[1].id
    assert len(of(runs[0], RunStarted)) == len(of(runs[0], RunFinished)) == 1
    assert {key for r in of(runs[0], Metrics) for key in r.values} == {"rank0/loss", "rank1/loss"}


def test_disabled_means_nothing_happens(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RUNCAST_ENABLED=false silences a script without an edit."""
    monkeypatch.setenv("RUNCAST_ENABLED", "false")
    with runcast.start("exp", params={"a": 1}) as run:
        run.log({"a": 1})

    assert not Path(".runcast").exists()


def test_threads_share_a_run(run: runcast.Run) -> None:
    """Eight threads, nothing lost, numbers without gaps."""

    def work(thread: int) -> None:
        for step in range(500):
            run.log({f"t{thread}": step}, step=step)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = said(run)
    assert len(of(run, Metrics)) == 4000
    assert [record.seq for record in records] == list(range(1, len(records) + 1))

"""Where scripts are odd: misuse without end, exceptions that cannot be told, jobs that start again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast import ranks
from runcast.journal import Layout, read_run
from runcast.records import Lost, Metrics, RunFinished, RunStarted

LATER: dict[str, Any] = {"delivery": "later"}


def of(run: runcast.Run, kind: type[Any]) -> list[Any]:
    """The records of one kind."""
    return [record for record in read_run(Layout(".runcast").run(run.id)) if isinstance(record, kind)]


@pytest.fixture
def run(project: Path) -> runcast.Run:
    """A run that only writes its journal."""
    return runcast.start("exp", config=LATER)


def test_a_million_bad_names_stay_bounded(run: runcast.Run, caplog: pytest.LogCaptureFixture) -> None:
    """After a thousand names the rest is counted together: neither memory nor the log grows."""
    for number in range(3000):
        run.log({f"bad{number}": "text"})
    run.finish()

    assert sum(lost.count for lost in of(run, Lost)) == 3000
    assert len(of(run, Lost)) < 1010
    assert len(caplog.records) < 1010


def test_an_exception_that_cannot_be_told_still_ends_the_run(project: Path) -> None:
    """Its own error stays; the run is failed."""

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(MuteError), runcast.start("exp", config=LATER) as run:
        raise MuteError

    assert (of(run, RunFinished)[0].status, of(run, RunFinished)[0].error) == ("failed", "MuteError")


def test_a_generator_that_is_left_early_is_no_failure(project: Path) -> None:
    """Whoever takes only the first epochs has had enough, nothing more."""

    def train() -> Any:
        with runcast.start("exp", config=LATER) as run:
            while True:
                yield run

    epochs = train()
    run = next(epochs)
    epochs.close()

    assert of(run, RunFinished)[0].status == "finished"


@pytest.mark.parametrize("backends", [[int], [3], [lambda: None]])
def test_what_is_no_backend_is_refused(project: Path, backends: Any) -> None:
    """The message says what `backends` takes."""
    with pytest.raises(runcast.ConfigError, match=r"names and subclasses"):
        runcast.start("exp", backends=backends, config=LATER)


def test_names_that_the_user_calls_secret_are_masked_in_options(fake: Any) -> None:
    """`redact = ["fold*"]` holds for a backend's options as well."""
    with runcast.start(
        "exp", backends=["fake"], config=fake.config(delivery="later", redact=["fold*"])
    ) as run:
        pass

    (started, _) = read_run(fake.root / "rc" / "runs" / run.id)
    assert isinstance(started, RunStarted)
    assert started.backends == {"fake": {**fake.options, "folder": "[redacted]"}}


def test_a_pickled_run_carries_no_option(fake: Any) -> None:
    """A checkpoint that swallows the run must not hold a tracker's password."""
    with runcast.start("exp", backends=["fake"], config=fake.config(delivery="later")) as run:
        assert str(fake.control).encode() not in pickle.dumps(run)


def test_a_job_that_the_queue_starts_again_resumes_its_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same job, same id: the second start goes on with the run instead of beginning it twice."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("RUNCAST_RUN_ID", "job-9")
    for _ in range(2):
        monkeypatch.setattr("runcast.starting._started", 0)
        with runcast.start("exp", config=LATER) as run:
            run.log({"a": 1})

    assert [r.resumed for r in of(run, RunStarted)] == [False, True]
    assert [r.step for r in of(run, Metrics)] == [0, 1]


def test_a_batch_script_in_an_allocation_is_no_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """`#SBATCH -n 4` without `srun`: two scripts in a row are two runs, not two lives of one."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert ranks.world_size() == 1

    monkeypatch.setenv("SLURM_STEP_ID", "0")
    assert ranks.world_size() == 4


def test_strict_misuse_in_start_leaves_no_open_run(project: Path) -> None:
    """Nobody gets hold of the run, so `start` ends it itself."""
    with pytest.raises(runcast.UsageError):
        runcast.start("exp", params=3, config=LATER, strict=True)

    (run,) = Layout(".runcast").run_ids()
    *_, last = read_run(Layout(".runcast").run(run))
    assert isinstance(last, RunFinished)
    assert last.status == "failed"

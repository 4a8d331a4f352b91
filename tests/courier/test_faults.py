"""What must not go wrong around the courier: forks, full pipes, lost folders, resumed and nested runs."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import pytest

import runcast
from runcast import codec
from runcast.courier import client
from runcast.courier.catchup import check_known, deliver, find_pending
from runcast.courier.report import report
from runcast.journal import JournalWriter
from runcast.records import RunFinished, RunStarted

from .processes import couriers, layout_of, script, until


def test_a_finished_run_that_is_resumed_for_later_is_delivered_later(fake: Any) -> None:
    """A cursor that says finished does not hide what came after it."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as first:
        first.log({"loss": 1.0}, step=0)
    until(lambda: find_pending(layout_of(fake), {}) == [])
    with runcast.start(resume=first.id, backends=["fake"], config=fake.config(delivery="later")) as second:
        second.log({"loss": 1.0}, step=1)

    pending = find_pending(layout_of(fake), {})
    assert [item.run for item in pending] == [first.id]
    assert deliver(layout_of(fake), pending, timeout=20)
    assert fake.steps(first.id) == [0, 1]
    assert find_pending(layout_of(fake), {}) == []


def test_a_child_is_delivered_under_its_parent_in_any_order(fake: Any) -> None:
    """`deliver` meets the child first, waits for the parent, and completes both in one go."""
    layout = layout_of(fake)
    for run, parent in (("aa", "bb"), ("bb", None)):
        writer = JournalWriter(layout.journal(run), run)
        started = RunStarted(
            time=1, run=run, experiment="e", name=run, parent=parent, backends={"fake": fake.options}
        )
        for record in (started, RunFinished(time=2, status="finished")):
            writer.append(codec.encode(record))

    assert deliver(layout, find_pending(layout, {}), timeout=20)
    opened = (fake.folder / "opened").read_text().splitlines()
    assert "aa parent=fake-bb" in opened


def test_a_secret_of_the_options_is_asked_for(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has it masked: without today's setting the backend pauses, with it all arrives."""
    secret = f"file://me:hunter2hunter2@host{fake.folder}"
    with runcast.start(
        "exp",
        backends=["fake"],
        config={**fake.config(delivery="later"), "fake": {**fake.options, "folder": secret}},
    ) as run:
        run.log({"loss": 1.0}, step=0)
    layout = layout_of(fake)

    assert deliver(layout, find_pending(layout, {}), timeout=20)
    found = report(layout, run.id).backends[0]
    assert (found.state, found.pending) == ("paused", 3)
    assert "RUNCAST_FAKE__FOLDER" in found.error
    assert deliver(layout, find_pending(layout, {"fake": fake.options}), timeout=20)
    assert fake.steps(run.id) == [0]
    assert "hunter2" not in "".join(
        path.read_text(errors="replace") for path in layout.root.rglob("*") if path.is_file()
    )


@pytest.mark.fault(
    "F28",
    how="a plugin that is missing when the run is delivered",
    outcome="that backend pauses and is named",
)
def test_a_backend_of_the_script_alone_is_named_by_deliver(fake: Any) -> None:
    """After the script's death no plugin has that name: paused with a reason, not a loop."""
    script(
        fake,
        """
        from runcast.plugins import Backend, Capabilities, Receipt, Ref
        class Mine(Backend):
            name = "mine"
            capabilities = Capabilities()
            def open(self, run):
                os._exit(9)
            def deliver(self, batch):
                return Receipt()
        run = runcast.start("exp", backends=[Mine], config=config)
        run.finish()
        """,
    )
    layout = layout_of(fake)

    assert deliver(layout, find_pending(layout, {}), timeout=20)
    (run,) = layout.run_ids()
    assert "there is no backend 'mine'" in report(layout, run).backends[0].error


def test_a_misspelt_run_is_not_called_delivered(fake: Any) -> None:
    """`runcast deliver TYPO` says that there is no such run."""
    with pytest.raises(runcast.UsageError, match="no run 'typo'"):
        check_known(layout_of(fake), ["typo"])


def test_the_courier_leaves_when_its_folder_is_deleted(fake: Any) -> None:
    """Trainer dead, folder gone: nothing can come any more, so nobody waits an hour for it."""
    fake.set("down")
    script(
        fake,
        """
        run = runcast.start("exp", backends=["fake"], config=config)
        run.flush(3)
        os._exit(9)
        """,
    )
    assert couriers(fake)
    shutil.rmtree(fake.root / "rc", ignore_errors=True)

    until(lambda: not couriers(fake))
    assert not (fake.root / "rc" / "runs").exists()


def test_a_courier_leaves_no_lock_of_a_dead_trainer(fake: Any) -> None:
    """`alive/` does not grow with every run."""
    for ending in ("os._exit(9)", "pass"):
        script(
            fake,
            f"""
            run = runcast.start("exp", backends=["fake"], config=config)
            {ending}
            """,
        )

    until(lambda: not list(layout_of(fake).alive.iterdir()))
    until(lambda: not couriers(fake))


@pytest.mark.fault(
    "F19",
    how="a child that logs 3,000 records and waits for them",
    outcome="one courier, one run, each record once",
)
def test_a_forked_child_leaves_its_parents_courier_alone(fake: Any) -> None:
    """However much a child logs and waits: one courier, and the run is over when its owner says so."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for step in range(3000):
                    run.log({"loss": 1.0}, step=step)
                code = 0 if run.flush(20) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert len([line for line in couriers(fake) if "courier.supervisor" in line]) == 1

    assert sorted(fake.steps(run.id)) == list(range(3000))
    assert run.report().status == "finished"


def test_the_courier_is_not_a_child_that_a_script_waits_for(fake: Any) -> None:
    """A script that waits for all of its children ends."""
    done = script(
        fake,
        """
        with runcast.start("exp", backends=["fake"], config=config) as run:
            run.flush()
            try:
                while True:
                    os.wait()
            except ChildProcessError:
                print("no children")
        """,
    )

    assert done.stdout == "no children\n"


def test_a_hundred_runs_at_once_reach_the_courier(fake: Any) -> None:
    """More than the pipe holds while the courier is still starting; and no end of the script loses any."""
    done = script(
        fake,
        """
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        config["fake"]["folder"] += "/" * 1000
        runs = [runcast.start("exp", backends=["fake"], config=config) for _ in range(100)]
        """,
        finish_timeout=30.0,
    )

    assert done.returncode == 0, done.stderr
    layout = layout_of(fake)
    assert len(layout.run_ids()) == 100
    until(lambda: find_pending(layout, {}) == [], 30.0)


def test_a_courier_that_cannot_start_stops_nothing(
    fake: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory for another process: one warning, training goes on, `deliver` does the rest."""

    def refuse(*arguments: Any, **options: Any) -> int:
        raise OSError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(client.os, "posix_spawn", refuse)
        with runcast.start("exp", backends=["fake"], config=fake.config(finish_timeout=0.0)) as run:
            run.log({"loss": 1.0}, step=0)

    assert "runcast deliver" in caplog.text
    assert deliver(layout_of(fake), find_pending(layout_of(fake), {}), timeout=20)
    assert fake.steps(run.id) == [0]


def test_without_an_interpreter_threads_deliver(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen application would start itself, again and again."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=0)

    assert fake.steps(run.id) == [0]
    assert couriers(fake) == []

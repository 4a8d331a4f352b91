"""The courier as real processes: trainers that die, workers that hang, trackers that come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

import pytest

import runcast
from runcast.courier.catchup import deliver, find_pending
from runcast.courier.report import RunReport, report
from runcast.journal import Layout

from .processes import listed


def script(fake: Any, body: str, **settings: Any) -> subprocess.Popen[str]:
    """Start a training script of its own; `config` holds its configuration."""
    code = f"import os, sys, time, signal, runcast\nconfig = {fake.config(**settings)!r}\n" + textwrap.dedent(
        body
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=fake.root
    )


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll a condition; fails loudly when it does not come true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def the_report(fake: Any) -> RunReport:
    """The report of the only run."""
    layout = Layout(fake.root / "rc")
    (run,) = layout.run_ids()
    return report(layout, run, time.time_ns())


def complete(fake: Any) -> Callable[[], bool]:
    """Whether the only run is over and delivered."""

    def check() -> bool:
        found = the_report(fake)
        return found.complete and found.status != "running" and found.backends[0].state == "delivered"

    return check


def test_a_run_is_delivered_when_the_block_ends(fake: Any) -> None:
    """After `with`, the tracker has everything, and the run knows where it is there."""
    with runcast.start("exp", params={"lr": 0.1}, backends=["fake"], config=fake.config()) as run:
        for step in range(100):
            run.log({"loss": 1 / (step + 1)}, step=step)

    kinds = [record["kind"] for record in fake.received(run.id)]
    assert kinds == ["run_started", "params"] + ["metrics"] * 100 + ["run_finished"]
    assert run.refs["fake"].id == f"fake-{run.id}"
    found = run.report()
    assert (found.status, found.complete, found.backends[0].records) == ("finished", True, 103)


@pytest.mark.fault(
    "F01",
    how="a script that kills itself while its courier lives",
    outcome="its last words arrive; the run ends `crashed` at their time",
)
def test_kill_9_of_the_trainer_loses_no_acknowledged_record(fake: Any) -> None:
    """The courier delivers the last words and ends the run as crashed, at their time."""
    process = script(
        fake,
        """
        run = runcast.start("exp", backends=["fake"], config=config)
        for step in range(1000):
            run.log({"loss": 1.0}, step=step)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    until(complete(fake))

    found = the_report(fake)
    assert found.status == "crashed"
    assert fake.steps(found.run) == list(range(1000))
    last = fake.received(found.run)[-1]
    assert last["status"] == "crashed"
    assert last["time"] == fake.received(found.run)[-2]["time"]


ENDINGS = {
    "raise ValueError('nan in loss')": "failed",
    "raise KeyboardInterrupt": "killed",
    "sys.exit(0)": "finished",
    "sys.exit(3)": "failed",
    "os._exit(0)": "crashed",
    "os.kill(os.getpid(), signal.SIGTERM)": "crashed",
}


@pytest.mark.fault(
    "F22",
    how="exception, Ctrl-C, `sys.exit`, `os._exit`, SIGTERM",
    outcome="`failed`, `killed`, `finished` or `failed`, `crashed`, `crashed`",
)
def test_the_status_tells_how_the_script_ended(fake: Any) -> None:
    """Finished, failed, killed and crashed are told apart, without a signal handler of ours."""
    processes = [
        script(
            fake,
            f"""
            with runcast.start("exp", name="{number}", backends=["fake"], config=config) as run:
                run.log({{"loss": 1.0}})
                {ending}
            """,
        )
        for number, ending in enumerate(ENDINGS)
    ]
    for process in processes:
        process.communicate(timeout=60)
    layout = Layout(fake.root / "rc")
    until(lambda: find_pending(layout, {}) == [], 60.0)

    reports = sorted((report(layout, run) for run in layout.run_ids()), key=lambda found: found.name)
    assert dict(zip(ENDINGS, [found.status for found in reports], strict=True)) == ENDINGS


@pytest.mark.fault(
    "F22",
    how="a script that never calls `finish`",
    outcome="its true status; its traceback is still shown",
)
def test_a_run_without_a_block_ends_with_the_script(fake: Any) -> None:
    """A script that never calls finish still gets its true status, and its traceback is still shown."""
    start = "runcast.start('exp', name={!r}, backends=['fake'], config=config).log({{'a': 1}})\n{}"
    plain = script(fake, start.format("plain", "pass"))
    failing = script(fake, start.format("failing", "raise ValueError('x')"))
    assert plain.communicate(timeout=60)[1] == ""
    assert "ValueError: x" in failing.communicate(timeout=60)[1]
    layout = Layout(fake.root / "rc")
    until(lambda: find_pending(layout, {}) == [], 60.0)

    reports = [report(layout, run) for run in layout.run_ids()]
    assert {found.name: found.status for found in reports} == {"plain": "finished", "failing": "failed"}


@pytest.mark.fault(
    "F02",
    how="a worker process killed within `deliver`",
    outcome="started again; nothing lost, nothing twice",
)
@pytest.mark.parametrize("mode", ["die", "crash-after"])
def test_a_worker_that_dies_loses_and_doubles_nothing(fake: Any, mode: str) -> None:
    """Killed before or after the data reached the tracker: each record arrives once."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=0)
        assert run.flush(10)
        fake.set(mode)
        for step in range(1, 500):
            run.log({"loss": 1.0}, step=step)

    assert fake.steps(run.id) == list(range(500))


@pytest.mark.fault(
    "F09",
    how="`deliver` never returns",
    outcome="its worker is killed at its deadline; delivered when the tracker is well",
)
def test_a_hung_tracker_is_killed_and_tried_again(fake: Any) -> None:
    """A call that never returns costs its own process, not the run."""
    fake.set("hang")
    with runcast.start("exp", backends=["fake"], config=fake.config(finish_timeout=0.2)) as run:
        run.log({"loss": 1.0}, step=0)
    until(lambda: "deadline" in run.report().backends[0].error)
    fake.set("ok")
    until(complete(fake))

    assert fake.steps(run.id) == [0]


@pytest.mark.fault(
    "F22",
    how="a tracker that is down at the end",
    outcome="the script ends within its `finish_timeout`; the courier goes on",
)
def test_finish_does_not_wait_for_a_tracker_that_is_down(fake: Any, capsys: Any) -> None:
    """The wait is bounded, the message names the backend and the error, and the courier goes on."""
    fake.set("down")
    run = runcast.start("exp", backends=["fake"], config=fake.config())
    run.log({"loss": 1.0}, step=0)
    began = time.monotonic()
    assert not run.flush(timeout=0.0)
    until(lambda: run.report().backends[0].error)
    run.finish(timeout=1.0)
    assert 1.0 <= time.monotonic() - began < 20.0
    message = capsys.readouterr().err
    assert "fake still waits for 3 records: the fake tracker is down" in message

    fake.set("ok")
    until(complete(fake))
    assert fake.steps(run.id) == [0]


def test_the_courier_outlives_the_trainer(fake: Any) -> None:
    """A script that ended while the tracker was down is delivered when the tracker is back."""
    fake.set("down")
    process = script(
        fake,
        """
        with runcast.start("exp", backends=["fake"], config=config) as run:
            run.log({"loss": 1.0}, step=7)
        """,
        finish_timeout=0.2,
    )
    process.communicate(timeout=30)
    assert the_report(fake).backends[0].pending == 3
    fake.set("ok")
    until(complete(fake))

    assert fake.steps(the_report(fake).run) == [7]


@pytest.mark.fault(
    "F14",
    how="a tracker that wants a key",
    outcome="paused, said once; `runcast deliver` completes it after the mend",
)
def test_a_paused_backend_is_delivered_after_the_mend(fake: Any, capsys: Any) -> None:
    """Wrong credentials: `finish` returns at once and says what to do; `deliver` completes."""
    fake.set("halt")
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=0)
    assert "fake is paused: the fake tracker wants a key: set FAKE_KEY" in capsys.readouterr().err
    fake.set("ok")
    layout = Layout(fake.root / "rc")

    assert deliver(layout, find_pending(layout, {}), timeout=20)
    assert fake.steps(run.id) == [0]
    assert find_pending(layout, {}) == []


def test_what_was_logged_for_later_is_delivered_later(fake: Any) -> None:
    """`delivery="later"` starts no process; `deliver` does the work, also for a dead trainer."""
    process = script(
        fake,
        """
        run = runcast.start("exp", backends=["fake"], config=config)
        run.log({"loss": 1.0}, step=0)
        os._exit(9)
        """,
        delivery="later",
    )
    process.communicate(timeout=30)
    layout = Layout(fake.root / "rc")
    pending = find_pending(layout, {})
    assert [item.backends["fake"]["folder"] for item in pending] == [str(fake.folder)]

    assert deliver(layout, pending, timeout=20)
    assert complete(fake)()
    assert the_report(fake).status == "crashed"


@pytest.mark.fault(
    "F28",
    how="eight `deliver` at once",
    outcome="one wins; each record once",
)
def test_eight_couriers_at_once_deliver_once(fake: Any) -> None:
    """Concurrent `deliver`s find each other's locks."""
    with runcast.start("exp", backends=["fake"], config=fake.config(delivery="later")) as run:
        for step in range(2000):
            run.log({"loss": 1.0}, step=step)
    code = (
        "from runcast.courier.catchup import *; from runcast.journal import Layout;"
        f"l = Layout({str(fake.root / 'rc')!r}); deliver(l, find_pending(l, {{}}), 30)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=fake.root) for _ in range(8)]
    assert [process.wait(60) for process in processes] == [0] * 8

    assert fake.steps(run.id) == list(range(2000))


def test_many_short_runs_share_one_courier(fake: Any) -> None:
    """Sixty runs in one process, one worker, each complete."""
    ids = []
    for number in range(60):
        with runcast.start("sweep", backends=["fake"], config=fake.config()) as run:
            run.log({"loss": float(number)}, step=0)
        ids.append(run.id)

    assert all(len(fake.received(run_id)) == 3 for run_id in ids)
    supervisors = [line for line in listed() if "courier.supervisor" in line and str(fake.root) in line]
    assert len(supervisors) == 1


@pytest.mark.fault(
    "F02",
    how="the courier itself killed while the script lives",
    outcome="the script starts another, which goes on",
)
def test_a_killed_courier_is_started_again(fake: Any) -> None:
    """`kill -9` of the courier and its workers is noticed at the next flush."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=0)
        assert run.flush(20)
        for line in listed():
            if "runcast.courier" in line and str(fake.root) in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
        run.log({"loss": 1.0}, step=1)

    assert fake.steps(run.id) == [0, 1]


def test_a_forked_child_logs_to_the_same_run(fake: Any) -> None:
    """A child gets a writer of its own; its exit does not end the run."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log({"loss": 0.0}, step=0)
        child = os.fork()
        if child == 0:
            run.log({"loss": 1.0}, step=1)
            run.finish()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        run.log({"loss": 2.0}, step=2)

    assert sorted(fake.steps(run.id)) == [0, 1, 2]
    assert [r["status"] for r in fake.received(run.id) if r["kind"] == "run_finished"] == ["finished"]


def test_a_spawned_child_logs_to_the_same_run(fake: Any) -> None:
    """A run can be handed to a process that shares no memory."""
    process = script(
        fake,
        """
        import multiprocessing, pickle
        with runcast.start("exp", backends=["fake"], config=config) as run:
            code = f"import pickle; run = pickle.loads({pickle.dumps(run)!r}); "
            code += "run.log({'loss': 1.0}, step=1); assert run.flush(20)"
            import subprocess
            subprocess.run([sys.executable, "-c", code], check=True)
            run.log({"loss": 0.0}, step=0)
        """,
    )
    _, errors = process.communicate(timeout=30)
    assert errors == ""
    until(complete(fake))

    assert sorted(fake.steps(the_report(fake).run)) == [0, 1]

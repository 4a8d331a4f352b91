"""The courier as real processes: trainers that die, workers that hang, trackers that come back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.courier.catchup import deliver, find_pending
from runcast.courier.report import RunReport, report
from runcast.journal import Layout


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


def test_a_hung_tracker_is_killed_and_tried_again(fake: Any) -> None:
    """A call that never returns costs its own process, not the run."""
    fake.set("hang")
    with runcast.start("exp", backends=["fake"], config=fake.config(finish_timeout=0.2)) as run:
        run.log({"loss": 1.0}, step=0)
    until(lambda: "deadline" in run.report().backends[0].error)
    fake.set("ok")
    until(complete(fake))

    assert fake.steps(run.id) == [0]


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
    supervisors = [line for line in _processes() if "courier.supervisor" in line and str(fake.root) in line]
    assert len(supervisors) == 1


def test_a_killed_courier_is_started_again(fake: Any) -> None:
    """`kill -9` of the courier and its workers is noticed at the next flush."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=0)
        assert run.flush(20)
        for line in _processes():
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


def test_delivery_in_threads_needs_no_process(fake: Any) -> None:
    """Notebooks and tests: the same code, in this process."""
    before = {line.split()[0] for line in _processes()}
    with runcast.start("exp", backends=["fake"], config=fake.config(delivery="thread")) as run:
        run.log({"loss": 1.0}, step=0)

    assert fake.steps(run.id) == [0]
    new = [line for line in _processes() if line.split()[0] not in before and "courier" in line]
    assert [line for line in new if str(fake.root) in line] == []


def test_a_class_of_the_script_is_a_backend(fake: Any) -> None:
    """A backend that exists only in the running script is delivered in a thread, beside the others."""
    from runcast.plugins import Backend, Capabilities, Receipt, Ref

    seen: list[Any] = []

    class Mine(Backend):
        name = "mine"
        capabilities = Capabilities()

        def open(self, run: Any) -> Ref:
            return Ref(id="mine-1")

        def deliver(self, batch: Any) -> Receipt:
            seen.extend(batch)
            return Receipt()

    with runcast.start("exp", backends=["fake", Mine], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=4)

    assert [record.step for record in seen if hasattr(record, "step")] == [4]
    assert fake.steps(run.id) == [4]
    assert set(run.refs) == {"fake", "mine"}


def test_a_secret_in_the_options_is_not_on_disk(fake: Any) -> None:
    """Options travel to the courier in memory; the journal holds them masked."""
    secret = "hunter2hunter2"
    options = {**fake.options, "folder": f"{fake.folder}"}
    config = fake.config()
    config["fake"] = {**options, "control": str(fake.control)}
    with runcast.start("exp", params={"password": secret}, backends=["fake"], config=config) as run:
        run.log({"loss": 1.0})

    files = [path for path in (fake.root / "rc").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert json.loads(json.dumps(fake.received(run.id)))[1]["values"]["password"] != secret


def test_what_is_written_is_private(fake: Any) -> None:
    """Folders 0700, files 0600 (blobs 0400)."""
    note = Path("note.txt")
    note.write_text("x")
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log_artifact(note)

    for path in (fake.root / "rc").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def _processes() -> list[str]:
    listing = subprocess.run(["ps", "-wweo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return listing.splitlines()[1:]

"""What goes wrong at the trainer's end: interrupts, threads, clocks and killed supervisors."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from typing import Any

import pytest

import runcast
from runcast import codec
from runcast.courier.catchup import find_pending
from runcast.courier.closing import close_dead
from runcast.courier.folder import DeliveryFolder
from runcast.courier.report import report
from runcast.courier.workers import Worker
from runcast.journal import JournalWriter
from runcast.records import Metrics, RunStarted

from .processes import couriers, layout_of, script, until


@pytest.mark.fault(
    "F21",
    how="Ctrl-C while the end of the script waits for a tracker that is down",
    outcome="the wait ends, the runs are `finished`",
)
def test_an_impatient_ctrl_c_at_the_end_loses_no_status(fake: Any) -> None:
    """Two open runs, a tracker that is down: Ctrl-C cuts the wait short, and neither counts as crashed."""
    fake.set("down")
    done = script(
        fake,
        """
        import subprocess
        runs = [runcast.start("exp", backends=["fake"], config=config) for _ in range(2)]
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -INT {os.getpid()}"])
        """,
        finish_timeout=50.0,
    )
    assert "KeyboardInterrupt" in done.stderr
    fake.set("ok")
    layout = layout_of(fake)

    until(lambda: find_pending(layout, {}) == [])
    assert [report(layout, run).status for run in layout.run_ids()] == ["finished", "finished"]


def test_open_runs_share_one_wait_at_the_end(fake: Any) -> None:
    """Ten runs that cannot be delivered cost the end of the script one timeout, not ten."""
    fake.set("down")
    began = time.monotonic()
    script(
        fake,
        "runs = [runcast.start('exp', backends=['fake'], config=config) for _ in range(10)]",
        finish_timeout=1.5,
    )

    assert time.monotonic() - began < 10.0


def test_threads_that_finish_at_once_finish_once(fake: Any) -> None:
    """One last word, whoever says it; and what other threads still log does not undo it."""
    run = runcast.start("exp", backends=["fake"], config=fake.config(delivery="later"))
    threads = [threading.Thread(target=run.finish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run._writer is not None
    run._writer.append(codec.encode(Metrics(time=1, step=0, values={"late": 1.0})))  # had passed the check

    found = run.report()
    assert (found.status, found.records) == ("finished", 3)


def test_a_dead_run_is_not_called_running(fake: Any) -> None:
    """Before any courier has looked: the report tells what the courier will say."""
    script(fake, "runcast.start('exp', backends=['fake'], config=config)\nos._exit(9)", delivery="later")
    layout = layout_of(fake)
    (run,) = layout.run_ids()

    assert report(layout, run).status == "crashed"


def test_a_process_without_a_lock_is_known_by_its_pid(fake: Any) -> None:
    """A disk too full for the lock at the start: the living process is not closed as crashed."""
    layout = layout_of(fake)
    writer = JournalWriter(layout.journal("r"), "r", process="")
    writer.append(codec.encode(RunStarted(time=1, run="r", experiment="e", name="n")))

    assert close_dead(layout, "r") == []
    assert report(layout, "r").status == "running"


def test_pending_counts_by_number_not_by_place(fake: Any) -> None:
    """A gap in a journal does not shift what counts as delivered."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        for step in range(10):
            run.log({"loss": 1.0}, step=step)
        assert run.flush(20)
        fake.set("halt")
        run.log({"loss": 1.0}, step=10)
    (segment,) = layout_of(fake).journal(run.id).glob("*.rcj")
    lines = segment.read_bytes().split(b"\n")
    segment.write_bytes(b"\n".join([*lines[:2], b"x" * len(lines[2]), b"x" * len(lines[3]), *lines[4:]]))

    assert run.report().backends[0].pending == 2


def test_a_new_key_in_the_environment_mends_a_notebook(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run 1 pauses for want of a key; the key is set; run 2, in the same process, brings run 1 along."""
    fake.set("key:FAKE_KEY")
    with runcast.start("exp", backends=["fake"], config=fake.config()) as first:
        first.log({"loss": 1.0}, step=0)
    assert first.report().backends[0].state == "paused"
    monkeypatch.setenv("FAKE_KEY", "k")
    with runcast.start("exp", backends=["fake"], config=fake.config()) as second:
        second.log({"loss": 1.0}, step=1)

    assert fake.steps(second.id) == [1]
    until(lambda: fake.steps(first.id) == [0])


@pytest.mark.parametrize("paused", ["heard of", "on disk", "not yet"])
def test_a_new_key_is_for_the_next_process(fake: Any, monkeypatch: pytest.MonkeyPatch, paused: str) -> None:
    """Also where its process has not yet said that it pauses, as everybody sees, or has yet to pause."""
    fake.set("key:FAKE_KEY")
    layout, options = layout_of(fake), fake.config()["fake"]
    runs = []
    for step in range(2):
        with runcast.start("exp", backends=["fake"], config=fake.config(delivery="later")) as run:
            run.log({"loss": 1.0}, step=step)
        runs.append(run.id)
    worker = Worker(layout, "fake")

    def state(run: str) -> str:
        return str(DeliveryFolder(layout.delivery(run, "fake")).load_status().state)

    def turn() -> None:
        worker.tend()
        if worker.output is not None and select.select([worker.output], [], [], 0.05)[0]:
            worker.hear()

    try:
        worker.add(runs[0], options)
        worker.tend()
        while (paused != "not yet" and state(runs[0]) != "paused") or (paused == "heard of" and worker.left):
            turn() if paused == "heard of" else time.sleep(0.01)
        monkeypatch.setenv("FAKE_KEY", "k")
        worker.renew()
        worker.add(runs[1], options)
        while worker.left:
            assert paused == "not yet" or state(runs[1]) != "paused"
            turn()
        assert [fake.steps(run) for run in runs] == [[0], [1]]
    finally:
        worker.stop()


def test_a_record_that_kills_its_process_does_not_starve_other_runs(fake: Any) -> None:
    """The run whose record kills comes last after each death; the others are delivered."""
    fake.set("kill:bad")
    poisoned = runcast.start("exp", backends=["fake"], config=fake.config(finish_timeout=0.0))
    poisoned.log({"bad": 1.0}, step=0)
    with runcast.start("exp", backends=["fake"], config=fake.config(finish_timeout=20.0)) as good:
        good.log({"good": 1.0}, step=1)
    poisoned.finish()

    assert fake.steps(good.id) == [1]
    assert "ended with code -9" in until(lambda: poisoned.report().backends[0].error)
    fake.set("ok")
    until(lambda: fake.steps(poisoned.id) == [0], 30.0)


def test_kill_9_of_the_supervisor_leaves_one_worker_at_work(fake: Any) -> None:
    """Its worker notices, lets go, and the next courier goes on: each record once."""
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        assert run.flush(20)
        for line in couriers(fake):
            if "courier.supervisor" in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
        for step in range(500):
            run.log({"loss": 1.0}, step=step)

    assert fake.steps(run.id) == list(range(500))

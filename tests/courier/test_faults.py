"""What must not go wrong around the courier: forks, full pipes, lost folders, resumed and nested runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast import codec
from runcast.courier import client
from runcast.courier.catchup import check_known, deliver, find_pending
from runcast.courier.closing import close_dead
from runcast.courier.report import report
from runcast.journal import JournalWriter, Layout, is_alive
from runcast.records import Metrics, RunFinished, RunStarted


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll a condition; fails loudly when it does not come true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def script(fake: Any, body: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a training script of its own to its end; `config` holds its configuration."""
    head = f"import os, sys, time, signal, runcast\nconfig = {fake.config(**settings)!r}\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        cwd=fake.root,
        timeout=60,
    )


def couriers(fake: Any) -> list[str]:
    """The courier's processes that work in this test's folder."""
    listing = subprocess.run(["ps", "-wweo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if "runcast.courier" in line and str(fake.root) in line]


def layout_of(fake: Any) -> Layout:
    return Layout(fake.root / "rc")


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


def test_torch_data_loader_workers_log_to_the_run(fake: Any) -> None:
    """Forked and spawned: every record arrives once, and the run ends with its owner."""
    Path("loading.py").write_text(
        textwrap.dedent(
            f"""
            import runcast, torch
            class Data(torch.utils.data.Dataset):
                def __init__(self, run): self.run = run
                def __len__(self): return 8
                def __getitem__(self, index):
                    self.run.log({{"index": index}}, step=index)
                    return index
            if __name__ == "__main__":
                for method, workers in (("fork", 2), ("spawn", 1)):
                    with runcast.start(method, backends=["fake"], config={fake.config()!r}) as run:
                        loader = torch.utils.data.DataLoader(
                            Data(run), num_workers=workers, multiprocessing_context=method)
                        list(loader)
                    print(run.id, run.report().status)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, "loading.py"], capture_output=True, text=True, cwd=fake.root, timeout=100
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]

    until(lambda: find_pending(layout_of(fake), {}) == [])
    assert [status for _, status in lines] == ["finished", "finished"]
    for run, _ in lines:
        assert sorted(fake.steps(run)) == list(range(8))
    assert not is_alive(layout_of(fake).alive, "")


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

"""Who looks at the machine, when, and that no look is lost, doubled or waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast import codec
from runcast.capture import Job
from runcast.courier import watch as watching
from runcast.courier.catchup import find_pending
from runcast.courier.report import report
from runcast.courier.watch import Watch
from runcast.journal import JournalWriter, Layout, ProcessLock, read_run
from runcast.records import Environment, Metrics, RunFinished, RunStarted, System

from ..courier.processes import couriers, until

RUN = "run1"


class World:
    """A run that goes on, and a watch over it."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.lock = ProcessLock(self.layout.alive)
        self.writer = JournalWriter(self.layout.journal(RUN), RUN, process=self.lock.name)
        self.writer.append(codec.encode(RunStarted(time=1, run=RUN, experiment="e", name="n")))
        self.late: list[str] = []
        self.watch = Watch(self.layout, self.late.append)

    def said(self, kind: type[Any]) -> list[Any]:
        """The records of one kind."""
        return [r for r in read_run(self.layout.run(RUN)) if isinstance(r, kind)]

    def finish(self) -> None:
        """The trainer's last word."""
        self.writer.append(codec.encode(RunFinished(time=2, status="finished")))

    def idle(self) -> bool:
        """Whether the thread has ended."""
        return self.watch._thread is None or not self.watch._thread.is_alive()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Stopped at the end."""
    world = World(tmp_path)
    yield world
    world.watch.stop()
    until(world.idle)
    world.lock.release()


def job(**fields: Any) -> Job:
    """Looks at this process every 50 ms."""
    return Job(**{"pid": os.getpid(), "interval": 0.05, "folder": "/", **fields})


def test_looks_come_until_the_run_is_over(world: World) -> None:
    """Each under its own number, by one writer; the last word ends them."""
    world.watch.add(RUN, job())
    until(lambda: len(world.said(System)) >= 3)
    world.finish()
    until(lambda: not world.watch._watched)
    looks = world.said(System)

    assert len({look.writer for look in looks}) == 1
    assert looks[0].writer != world.writer.writer
    assert [look.seq for look in looks] == list(range(1, len(looks) + 1))
    assert sorted(look.time for look in looks) == [look.time for look in looks]


def test_a_second_courier_goes_on(world: World) -> None:
    """Another writer, the same peaks; the surroundings are not recorded again."""
    world.watch.add(RUN, job(parts=["machine"]))
    until(lambda: world.said(System))
    world.watch.stop()
    until(world.idle)
    peak = world.said(System)[-1].values["peak/process/memory_bytes"]
    before = len(world.said(System))
    world.watch = Watch(world.layout)
    world.watch.add(RUN, job(parts=["machine"]))
    until(lambda: len(world.said(System)) > before)
    looks = world.said(System)

    assert len({look.writer for look in looks}) == 2
    assert looks[-1].values["peak/process/memory_bytes"] >= peak
    assert len(world.said(Environment)) == 1


def test_a_resumed_run_is_watched_anew(world: World) -> None:
    """The same process may finish a run and go on with it."""
    world.watch.add(RUN, job(parts=["machine"], interval=0))
    until(lambda: not world.watch.busy)
    world.watch.add(RUN, job(parts=["machine"], interval=0))
    world.watch.add(RUN, job(parts=["machine"], interval=0, generation=1))
    until(lambda: not world.watch.busy)

    assert len(world.said(Environment)) == 2


def test_what_comes_after_the_end_is_announced(world: World) -> None:
    """The lanes may have let go of the run already."""
    world.finish()
    world.watch.add(RUN, job(parts=["machine"]))
    until(lambda: not world.watch.busy)

    assert len(world.said(Environment)) == 1
    assert world.late == [RUN]
    assert world.said(System) == []


def test_a_deleted_run_is_not_made_again(world: World) -> None:
    """A person removed its folder."""
    world.watch.add(RUN, job())
    until(lambda: world.said(System))
    for path in world.layout.journal(RUN).iterdir():
        path.unlink()
    world.layout.journal(RUN).rmdir()
    until(lambda: not world.watch._watched)

    assert not world.layout.journal(RUN).exists()


def test_nobody_waits_for_a_look_that_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`settle` gives up in time, and the courier does after two minutes."""
    release = threading.Event()
    monkeypatch.setattr(watching, "collect", lambda job: (release.wait(), ({}, {}))[1])
    now = [0.0]
    world.watch = Watch(world.layout, clock=lambda: now[0])
    world.watch.add(RUN, job(parts=["machine"], interval=0))
    until(lambda: world.watch._at_work)
    world.watch.settle(RUN, 0.01)
    assert world.watch.busy
    now[0] = watching.LONGEST + 1
    assert not world.watch.busy
    release.set()


def test_a_failing_look_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The surroundings cannot be told: the machine still is, and so is the next run."""

    def fail(job: Job) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr(watching, "collect", fail)
    world.watch.add(RUN, job(parts=["machine"]))
    world.watch.add(RUN, job(parts=[], generation=1))

    assert until(lambda: world.said(System))


def test_without_psutil(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sampled, nothing fails."""
    monkeypatch.setattr(watching, "is_available", lambda: False)
    world.watch.add(RUN, job(parts=["machine"]))
    until(lambda: not world.watch.busy)

    assert world.said(System) == []
    assert len(world.said(Environment)) == 1


def test_the_courier_looks_at_the_trainer(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a real script, through the death of a courier: each look arrives in the tracker once."""
    monkeypatch.setenv("RUNCAST_SYSTEM_INTERVAL", "0.1")
    body = f"""
    import os, sys, time, runcast
    with runcast.start("e", backends=["fake"], config={fake.config()!r}) as run:
        print(run.id, flush=True)
        hog = bytearray(b"1" * (100 << 20))
        for step in range(10_000_000):
            run.log({{"a": step}})
            time.sleep(0.02)
            if os.path.exists("stop"):
                break
    """
    layout = Layout(fake.root / "rc")
    code = textwrap.dedent(body)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=fake.root
    ) as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()

        def looks() -> list[System]:
            return [r for r in read_run(layout.run(run)) if isinstance(r, System)]

        until(lambda: len(looks()) >= 3)
        for line in couriers(fake):
            if "courier.supervisor" in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
        until(lambda: len({look.writer for look in looks()}) == 2)
        (fake.root / "stop").touch()
        assert process.wait(60) == 0
    until(lambda: report(layout, run).complete and not find_pending(layout, {}))

    received = [(r["writer"], r["seq"]) for r in fake.received(run) if r["kind"] == "system"]
    assert sorted(received) == sorted((look.writer, look.seq) for look in looks())
    assert looks()[-1].values["peak/process/memory_bytes"] > 100 << 20
    assert any(isinstance(record, Metrics) for record in read_run(layout.run(run)))


def test_in_a_thread_too(project: Path) -> None:
    """Where delivery is in threads, so is the look at the machine."""
    config = {"delivery": "thread", "system_interval": 0.05}
    with runcast.start("e", backends=["local"], config=config) as run:
        until(lambda: any(isinstance(r, System) for r in read_run(Layout(".runcast").run(run.id))))

    until(lambda: run.report().complete)


def test_the_doctor_says_what_is_missing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with the extra to install; an estimate that was asked for and cannot be made is a mistake."""
    from runcast import system
    from runcast.cli.doctor_checks import examine
    from runcast.system import energy

    monkeypatch.setenv("RUNCAST_SYSTEM_INTERVAL", "15")
    monkeypatch.setenv("RUNCAST_ENERGY", "DEU")
    assert [line for line in examine(False, 1.0)[1] if line.section == "system"] == []
    monkeypatch.setattr(system, "is_available", lambda: False)
    monkeypatch.setattr(energy, "is_available", lambda: False)
    psutil, codecarbon = [line for line in examine(False, 1.0)[1] if line.section == "system"]

    assert (psutil.ok, psutil.mend) == (True, "pip install 'runcast[system]'")
    assert (codecarbon.ok, codecarbon.mend) == (False, "pip install 'runcast[energy]'")

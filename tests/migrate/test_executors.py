"""Reading in other processes: pools, a process that dies, dask."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from runcast.errors import ConfigError, SourceError
from runcast.journal import Blobs, Layout
from runcast.journal.reader import read_run
from runcast.migrate import Progress, address, migrate, prepare
from runcast.migrate.contract import plan as foresee
from runcast.migrate.readers import connected
from runcast.migrate.verify import verify
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Record

from .killing import fill
from .toy import Toy, a_run


def test_processes_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them read; what they have read is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    fill(tmp_path / "source", runs=3, points=20)
    plan = prepare("local:source", "local:there")
    assert migrate(plan, jobs=2).delivered == 3
    assert all(result.ok for result in verify(plan))


class Slow(Source):
    """A server's four runs: each answers only while three others are being read too."""

    name: ClassVar[str] = "slow"
    meeting = threading.Barrier(4)
    made: ClassVar[list[Slow]] = []

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.made.append(self)

    @property
    def identity(self) -> str:
        return "slow"

    @property
    def is_remote(self) -> bool:
        return True

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        for name in "dcba":
            yield FoundRun(
                id=name, experiment="e", name=name, parent="a" if name == "b" else None, version="1"
            )

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        self.meeting.wait(timeout=60)
        if run.id == "c":
            raise SourceError("the server has lost it")
        yield from a_run(run.id, points=7, parent=run.parent)


def test_threads_read_from_a_server(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many runs at once as asked for, each thread by a source of its own; one that fails stops none."""
    known = address.source_class
    monkeypatch.setattr(address, "source_class", lambda name: Slow if name == "slow" else known(name))
    plan = prepare("slow:x", "local:there")
    progress = migrate(plan, jobs=4)
    assert (progress.delivered, progress.failed) == (3, 1)
    assert progress.points == 3 * 14
    assert progress.read == 3 * 11
    assert plan.manifest.runs["c"].reason == "the server has lost it"
    parent = read_run(Layout("there").run(plan.manifest.runs["b"].run))
    assert next(iter(parent)).parent == plan.manifest.runs["a"].run  # type: ignore[union-attr]
    assert len(Slow.made) == 1 + 4  # this process's own, which lists them, and the threads'


class Shut(Source):
    """A server with twenty runs and so many connections; once one is closed, nobody should read any more."""

    name: ClassVar[str] = "shut"
    closing = threading.Event()
    late = threading.Event()
    most: ClassVar[int] = 100
    made: ClassVar[list[Shut]] = []

    def __init__(self, address: str) -> None:
        super().__init__(address)
        if len(self.made) >= self.most:
            raise SourceError("no more connections")
        self.made.append(self)

    @property
    def identity(self) -> str:
        return "shut"

    @property
    def is_remote(self) -> bool:
        return True

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        yield from (FoundRun(id=str(n), experiment="e", name=str(n), version="1") for n in range(20))

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        if self.closing.is_set():
            self.late.set()
        elif run.id != "0":
            self.closing.wait(timeout=60)
        yield from a_run(run.id, points=1)

    def close(self) -> None:
        self.closing.set()
        self.late.wait(timeout=0.3)


@pytest.fixture
def shut(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> type[Shut]:
    """`Shut`, anew, at the address ``shut:x``."""
    known = address.source_class
    monkeypatch.setattr(address, "source_class", lambda name: Shut if name == "shut" else known(name))
    monkeypatch.setattr(Shut, "made", [])
    monkeypatch.setattr(Shut, "closing", threading.Event())
    monkeypatch.setattr(Shut, "late", threading.Event())
    return Shut


def test_a_plan_that_is_left_half_way_reads_no_further(shut: type[Shut]) -> None:
    """No thread begins with another run when its connection is about to be closed."""
    foreseen = foresee(prepare("shut:x", "local:there"))
    assert isinstance(foreseen, Generator)
    assert next(foreseen).id == "0"
    foreseen.close()
    assert shut.closing.is_set()
    assert not shut.late.is_set()


def test_a_thread_that_cannot_connect(shut: type[Shut], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs are told as such, by plan and by verify; the others come through."""
    shut.closing.set()
    plan = prepare("shut:x", "local:there")
    assert migrate(plan, jobs=1).delivered == 20
    monkeypatch.setattr(Shut, "most", len(shut.made))
    foreseen = [each for each in foresee(plan) if each.kind == "run"]
    assert {(each.state, each.problem) for each in foreseen} == {("unreadable", "no more connections")}
    assert {each.problem for each in verify(plan)} == {"no more connections"}


def test_what_readers_do_to_the_environment_is_no_business_of_those_who_deliver(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's client, for one, is told by variables how often to ask; workers start in the midst of that."""

    class Changing(Slow):
        def runs(self, selection: Selection) -> Iterator[FoundRun]:
            yield FoundRun(id="a", experiment="e", name="a", version="1")

        def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
            monkeypatch.setenv("SAID_WHILE_READING", "1")
            yield from a_run("a")

    known = address.source_class
    monkeypatch.setattr(address, "source_class", lambda name: Changing if name == "slow" else known(name))
    seen = []

    def look(progress: Progress) -> None:
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                seen.append(child.environ())

    assert migrate(prepare("slow:x", "local:there"), tell=look).delivered == 1
    workers = [environment for environment in seen if environment]
    assert workers
    assert not [environment for environment in workers if "SAID_WHILE_READING" in environment]


def test_a_process_ends_while_threads_wait_for_a_server(tmp_path: Path) -> None:
    """Ctrl-C ends it, though a server does not answer."""
    script = tmp_path / "script.py"
    script.write_text(_HUNG)
    environment = {**os.environ, "RUNCAST_DIR": str(tmp_path / "rc")}
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    with process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["asked\n"] * 2
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 7
        finally:
            process.kill()


_HUNG = """
import threading
from runcast.migrate import address, migrate, prepare
from runcast.plugins.source import FoundRun, Source

class Hung(Source):
    name = identity = "hung"
    is_remote = True
    def runs(self, selection):
        yield from (FoundRun(id=x, experiment="e", name=x) for x in "ab")
    def read(self, run, blobs):
        print("asked\\n", end="", flush=True)
        threading.Event().wait()

known = address.source_class
address.source_class = lambda name: Hung if name == "hung" else known(name)
try:
    migrate(prepare("hung:x", "local:there"), jobs=2)
except KeyboardInterrupt:
    raise SystemExit(7)
"""


def test_dask_workers_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two processes: the same journals, and every run is the same."""
    import distributed

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    fill(tmp_path / "source", runs=3, points=20)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    try:
        plan = prepare("local:source", "local:there")
        with connected(cluster.scheduler_address.replace("tcp://", "dask://")) as executor:
            progress = migrate(plan, executor=executor)
            assert migrate(plan, executor=executor).unchanged == 3
        assert (progress.delivered, progress.failed) == (3, 0)
        assert all(result.ok for result in verify(plan))
    finally:
        cluster.close()


def test_a_wrong_engine_is_explained() -> None:
    """With the form that it should have."""
    with pytest.raises(ConfigError, match="dask://HOST:PORT"), connected("ray://x"):
        pass

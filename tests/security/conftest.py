"""A home with things worth stealing, a project beside it, and journals that a stranger made."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runcast import codec
from runcast.cli import app
from runcast.courier.catchup import find_pending
from runcast.courier.closing import close_dead
from runcast.courier.delivery import Delivery
from runcast.journal import JournalWriter, Layout
from runcast.plugins.manager import backend_class
from runcast.records import Record, RunFinished, RunStarted

from ..support.memory import little_memory

T0 = 1_700_000_000_000_000_000


def snapshot(root: Path) -> dict[str, tuple[int, str, bytes]]:
    """Everything below a folder: kind, link target, content."""
    found = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        target = str(path.readlink()) if stat.S_ISLNK(mode) else ""
        found[str(path.relative_to(root))] = (mode, target, path.read_bytes() if stat.S_ISREG(mode) else b"")
    return found


class Answer(NamedTuple):
    """What a command did."""

    command: tuple[str, ...]
    code: int
    out: str
    err: str


@dataclass
class World:
    """A project that was unpacked from a stranger's archive, and what of ours is near it.

    Attributes:
        project: the current folder.
        outside: ours; nothing in it may change or be copied.
        layout: the stranger's runcast folder, inside the project.
        said: what was printed.
    """

    project: Path
    outside: Path
    layout: Layout
    said: pytest.CaptureFixture[str]

    def forge(self, *records: Record, **started: Any) -> str:
        """A journal with valid checksums that says whatever its author likes; gives the run's id."""
        run = os.urandom(8).hex()
        writer = JournalWriter(self.layout.journal(run), run, process="0" * 16)  # of a process that is dead
        told = {"experiment": "exp", "name": "forged", "base": str(self.project), **started}
        first = RunStarted(time=T0, run=run, **told)
        for record in (first, *records, RunFinished(time=T0 + 10**9, status="finished")):
            writer.append(codec.encode(record))
        writer.close()
        return run

    def blob(self, content: bytes = b"content") -> str:
        """A file in the stranger's store; gives its digest."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.layout.blobs / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return digest

    def runcast(self, *arguments: str) -> Answer:
        """One command, as a person would type it in the project."""
        self.said.readouterr()
        try:
            app.run(list(arguments))
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = self.said.readouterr()
        return Answer(arguments, code, out, err)

    def try_each(self, run: str) -> list[Answer]:
        """Every command that reads a journal: each ends with a sentence, and touches nothing of ours."""
        before = snapshot(self.outside)
        commands: list[list[str]] = [
            ["runs", "--rebuild"],
            ["runs", "--json"],
            ["show", run],
            ["show", run, "--json", "--curves"],
            ["show", run, "--report"],
            ["compare", run, run],
            ["status", "--all"],
            ["deliver"],
            ["migrate", "local:", f"local:{self.project / 'copy'}"],
        ]
        done = []
        for command in commands:
            done.append(self.runcast(*command))
            assert done[-1].code in (0, 1, 2)
            assert snapshot(self.outside) == before, f"{command} changed what is not the stranger's"
        self.deliver(run)
        assert snapshot(self.outside) == before, "delivering changed what is not the stranger's"
        return done

    def deliver(self, run: str) -> None:
        """What ``runcast deliver`` does, without the processes."""
        for item in find_pending(self.layout, {}, [run]):
            close_dead(self.layout, run)
            for name, options in item.backends.items():
                delivery = Delivery(self.layout, name, partial(backend_class, name), once=True)
                delivery.add(run, options)
                for _ in range(3):
                    delivery.work()
                delivery.close()


@pytest.fixture
def world(
    project: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[World]:
    """A stranger's folder in the current project."""
    outside = tmp_path_factory.mktemp("ours")
    (outside / "diary.txt").write_text("dear diary: CANARY-DIARY")
    (outside / "cursor.json").write_text("{}")
    (outside / "empty").mkdir()
    monkeypatch.setenv("RUNCAST_FINISH_TIMEOUT", "10")
    with little_memory():
        yield World(project, outside, Layout(project / ".runcast"), capfd)

"""``python -m tests.faults.lives FOLDER BACKENDS RUN LAST...``: one worker after another dies on its way.

For each backend in turn, one worker per LAST, which is killed before its LASTth step between tracker and
cursor, and begins with what the one before had saved; then one that lives. Prints, per backend, the name
of the step at which each died.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runcast.courier import lane
from runcast.courier.delivery import Delivery
from runcast.journal import FileOps
from runcast.plugins import Backend, OpenRun, Receipt, Ref
from runcast.plugins.manager import backend_class
from runcast.records import Record

from .project import Project

BATCH = 2
"""Records at once; few, so that there are many steps."""
STEPS = (
    "before open",
    "after open",
    "before deliver",
    "after deliver",
    "create cursor.json",
    "write cursor.json",
    "sync cursor.json",
    "close cursor.json",
    "replace cursor.json",
    "sync the folder of cursor.json",
)
"""What a worker of every backend passes."""


class Fate:
    """Counts the steps of one worker and kills it before the one that is its last.

    Args:
        last: number of that step, from 1; 0 for a worker that lives.
        tell: descriptor that the step's name is written to.
    """

    def __init__(self, last: int, tell: int) -> None:
        self._left, self._tell = last, tell
        self._inside = False

    def step(self, name: str) -> None:
        """One more step."""
        if self._inside:
            return
        self._left -= 1
        if self._left == 0:
            os.write(self._tell, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[[], None]) -> None:
        """One step, however many there are inside it."""
        self.step(name)
        self._inside = True
        call()
        self._inside = False


def watched(kind: type[Backend], fate: Fate) -> type[Backend]:
    """The backend, with a step before and after each call."""

    class Watched(kind):  # type: ignore[valid-type,misc]  # any backend
        def open(self, run: OpenRun) -> Ref:
            fate.step("before open")
            ref: Ref = super().open(run)
            fate.step("after open")
            return ref

        def deliver(self, batch: Sequence[Record]) -> Receipt:
            fate.step("before deliver")
            receipt: Receipt = super().deliver(batch)
            fate.step("after deliver")
            return receipt

    return Watched


def watch_files(fate: Fate) -> None:
    """A step before each call that writes the courier's files, and before each sync of a tracker's."""
    names: dict[int, str] = {}
    create, write, sync = FileOps.create, os.write, FileOps.sync
    close, replace, sync_path = FileOps.close, FileOps.replace, FileOps.sync_path

    def plain(path: Path) -> str:
        return path.name[1:].partition(".json")[0] + ".json" if path.suffix == ".tmp" else path.name

    def watched_create(self: FileOps, path: Path) -> int:
        fate.step(f"create {plain(path)}")
        fd = create(self, path)
        names[fd] = plain(path)
        return fd

    def watched_write(self: FileOps, fd: int, data: bytes) -> int:
        fate.step(f"write {names[fd]}")
        return write(fd, data)

    def watched_sync(self: FileOps, fd: int) -> None:
        fate.around(f"sync {names[fd]}", lambda: sync(self, fd))

    def watched_close(self: FileOps, fd: int) -> None:
        fate.step(f"close {names[fd]}")
        close(self, fd)

    def watched_replace(self: FileOps, source: Path, target: Path) -> None:
        fate.step(f"replace {target.name}")
        names[-1] = target.name
        replace(self, source, target)

    def watched_sync_path(self: FileOps, path: Path) -> None:
        fate.around(f"sync the folder of {names[-1]}", lambda: sync_path(self, path))

    for name, call in list(locals().items()):
        if name.startswith("watched_"):
            setattr(FileOps, name.removeprefix("watched_"), call)
    for module in ("fsync", "fdatasync"):
        setattr(os, module, _stepping(getattr(os, module), fate))


def _stepping(call: Callable[[int], None], fate: Fate) -> Callable[[int], None]:
    def stepping(fd: int) -> None:
        fate.step("sync a file of the tracker")
        call(fd)

    return stepping


def live(project: Project, backend: str, run: str, last: int) -> str | None:
    """One worker; gives the step at which it died, or None where it was done before.

    Raises:
        SystemExit: it failed by itself.
    """
    heard, tell = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            fate = Fate(last, tell)
            watch_files(fate)
            lane.FIRST_BATCH = lane.LARGEST_BATCH = BATCH
            delivery = Delivery(
                project.layout, backend, lambda: watched(backend_class(backend), fate), once=True
            )
            delivery.add(run, project.options[backend])
            while delivery.lanes:
                assert delivery.work() in (0.0, None), delivery.lanes[run].folder.load_status()
                assert not delivery.paused, delivery.lanes[run].folder.load_status()
            delivery.close()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)
    os.close(tell)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(heard, "rb") as pipe:
        step = pipe.read().decode()
    if status == 0:
        return None
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and step:
        return step
    raise SystemExit(f"the {last}th worker of {backend} ended with status {status}")


def main() -> None:
    """So many workers for each backend, and one that lives."""
    folder, backends, run, *lasts = sys.argv[1:]
    project = Project(Path(folder), tuple(backends.split(",")))
    heavy = {"mlflow": "mlflow.store.tracking.sqlalchemy_store", "local": "sqlite3"}
    died: dict[str, list[Any]] = {}
    for backend in project.backends:
        backend_class(backend)
        if backend in heavy:
            importlib.import_module(heavy[backend])  # once, not in each worker
        died[backend] = [live(project, backend, run, int(last)) for last in lasts]
        assert live(project, backend, run, 0) is None
    print(json.dumps(died))


if __name__ == "__main__":
    main()

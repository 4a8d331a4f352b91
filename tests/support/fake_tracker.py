"""A tracker made of one file per run, with faults on demand; a plugin like any other.

What it does wrong stands in a control file, so that a test can change it while other processes work:
``ok``, ``down`` (Retry), ``halt``, ``hang``, ``die`` (the process), ``crash-after`` (dies after the data
was written, before the answer), ``refuse:KEY`` (Reject every batch that holds that name), ``kill:KEY``
(such a batch kills the process), ``key:NAME`` (Halt while the environment lacks NAME).
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from runcast import codec
from runcast.errors import Halt, Reject, Retry
from runcast.plugins import Backend, Capabilities, Change, OpenRun, Options, Receipt, Ref, hookimpl, native
from runcast.records import Metrics, Params, Record, Tags


class FakeOptions(Options):
    """Where the files go, and where the faults are told."""

    folder: str
    control: str = ""


class FakeTracker(Backend):
    """Appends each record as JSON; exactly once, by truncating to the acknowledged length."""

    name = "fake"
    Options = FakeOptions
    capabilities = Capabilities(metrics=native(), exactly_once=native())
    deadline: ClassVar[float] = 1.0

    def open(self, run: OpenRun) -> Ref:
        self._fault("open")
        self.run = run
        folder = Path(self.options.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{run.id}.jsonl"
        with (folder / "opened").open("a") as log:
            log.write(f"{run.id} parent={run.parent.id if run.parent else None}\n")
        with self.path.open("ab") as file:
            file.truncate(run.state.setdefault("length", 0))
        return Ref(id=f"fake-{run.id}", url=str(self.path), command=f"cat {self.path}")

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        mode = self._fault("deliver")
        if mode.startswith("refuse:"):
            key = mode.partition(":")[2]
            for record in batch:
                if isinstance(record, (Metrics, Params, Tags)) and key in record.values:
                    raise Reject(f"{key}: the fake tracker refuses it")
        if mode.startswith("kill:") and any(mode[5:] in getattr(r, "values", {}) for r in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        with self.path.open("ab") as file:
            for record in batch:
                file.write(codec.encode(record) + b"\n")
            file.flush()
            length = file.tell()
        if mode == "crash-after":
            self._set("ok")
            os.kill(os.getpid(), signal.SIGKILL)
        self.run.state["length"] = length
        changes = [
            Change("renamed", key, key.replace(" ", "_"))
            for r in batch
            if isinstance(r, Metrics)
            for key in r.values
            if " " in key
        ]
        return Receipt(changes)

    def _fault(self, where: str) -> str:
        mode = Path(self.options.control).read_text().strip() if self.options.control else "ok"
        if mode == "down":
            raise Retry("the fake tracker is down")
        if mode == "halt":
            raise Halt("the fake tracker wants a key: set FAKE_KEY")
        if mode.startswith("key:") and mode[4:] not in os.environ:
            raise Halt(f"the fake tracker wants a key: set {mode[4:]}")
        if mode == "hang" and where == "deliver":
            signal.pause()
        if mode == "die" and where == "deliver":
            self._set("ok")
            os.kill(os.getpid(), signal.SIGKILL)
        return mode

    def _set(self, mode: str) -> None:
        Path(self.options.control).write_text(mode)


def received(folder: Path, run: str) -> list[dict[str, object]]:
    """What the tracker holds of a run, read without the backend."""
    path = folder / f"{run}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@hookimpl
def runcast_backends() -> list[type[Backend]]:
    """The plugin's one backend."""
    return [FakeTracker]

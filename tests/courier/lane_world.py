"""A journal, a lane, a clock, and a backend that a test scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.courier.folder import DeliveryFolder
from runcast.courier.lane import Lane
from runcast.courier.pace import Backoff
from runcast.errors import Reject
from runcast.journal import JournalWriter, Layout, ProcessLock
from runcast.plugins import Backend, Capabilities, Change, OpenRun, Receipt, Ref
from runcast.records import Metrics, Record, RunFinished, RunStarted

RUN = "run1"


class Tracker:
    """What the script of one test does to the backend: a queue of faults, and what arrived."""

    def __init__(self) -> None:
        self.stored: list[Record] = []
        self.calls: list[int] = []
        self.opened: list[OpenRun] = []
        self.closed = 0
        self.faults: list[Exception | None] = []
        self.poison: set[str] = set()


def backend_of(tracker: Tracker) -> type[Backend]:
    """A backend that keeps what it acknowledged in its state, and so can undo what it did not."""

    class Scripted(Backend):
        name = "scripted"
        capabilities = Capabilities()

        def open(self, run: OpenRun) -> Ref:
            tracker.opened.append(run)
            self.run = run
            del tracker.stored[run.state.setdefault("count", 0) :]
            return Ref(id="remote-1")

        def deliver(self, batch: Sequence[Record]) -> Receipt:
            tracker.calls.append(len(batch))
            fault = tracker.faults.pop(0) if tracker.faults else None
            if fault is not None and not isinstance(fault, Reject):
                tracker.stored.extend(batch[: len(batch) // 2])  # half done: the worst moment
                raise fault
            for record in batch:
                if isinstance(record, Metrics) and tracker.poison & record.values.keys():
                    raise Reject(f"{tracker.poison & record.values.keys()} is refused")
            tracker.stored.extend(batch)
            self.run.state["count"] = len(tracker.stored)
            return Receipt([Change("renamed", "a", "A")])

        def close(self) -> None:
            tracker.closed += 1

    return Scripted


class World:
    """A journal, a lane and a clock."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.tracker = Tracker()
        self.now = 0.0
        self.lock = ProcessLock(self.layout.alive)
        self.writer = JournalWriter(self.layout.journal(RUN), RUN, process=self.lock.name)
        self.say(RunStarted(time=1, run=RUN, experiment="e", name="n"))
        self.lane = self.make_lane()

    def make_lane(self) -> Lane:
        kind = backend_of(self.tracker)
        return Lane(
            self.layout,
            RUN,
            "scripted",
            lambda: kind(kind.Options()),
            clock=lambda: self.now,
            backoff=Backoff(draw=lambda: 1.0),
        )

    def say(self, *records: Record) -> None:
        for record in records:
            self.writer.append(codec.encode(record))

    def metrics(self, *steps: int, **values: Any) -> None:
        self.say(*(Metrics(time=10 + s, step=s, values=values or {"a": float(s)}) for s in steps))

    def finish(self) -> None:
        self.say(RunFinished(time=99, status="finished"))

    def run(self, limit: int = 100) -> list[str]:
        """Step until nothing moves; a lane that waits gets its time."""
        outcomes = []
        for _ in range(limit):
            outcomes.append(self.lane.step())
            if outcomes[-1] == "retry":
                self.now = self.lane.due
            elif outcomes[-1] != "progress":
                break
        return outcomes

    @property
    def steps(self) -> list[int]:
        return [record.step for record in self.tracker.stored if isinstance(record, Metrics)]

    @property
    def folder(self) -> DeliveryFolder:
        return DeliveryFolder(self.layout.delivery(RUN, "scripted"))

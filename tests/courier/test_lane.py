"""One run on its way to one backend, with faults of every kind, on an injected clock."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runcast import codec
from runcast.courier.delivery import Delivery
from runcast.courier.folder import DeliveryFolder, DeliveryStatus
from runcast.courier.lane import Lane
from runcast.courier.pace import Backoff
from runcast.errors import Halt, Reject, Retry
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


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_run_arrives_in_order_and_is_then_finished(world: World) -> None:
    """The plain case: everything once, in order, with the ref and the changes kept."""
    world.metrics(0, 1, 2)
    world.finish()

    assert world.run() == ["progress", "finished"]
    assert world.steps == [0, 1, 2]
    cursor = world.folder.load_cursor()
    assert cursor.finished
    assert cursor.records == 5
    assert cursor.ref == Ref(id="remote-1")
    assert world.folder.load_report().changes == [Change("renamed", "a", "A")]
    assert world.folder.load_status().state == "delivered"


def test_a_live_run_is_idle_not_finished(world: World) -> None:
    """While the script goes on, the lane waits for more."""
    world.metrics(0)
    assert world.run()[-1] == "idle"
    world.metrics(1)
    assert world.run() == ["progress", "idle"]
    assert world.steps == [0, 1]
    assert not world.folder.load_cursor().finished


def test_an_outage_delays_but_neither_loses_nor_doubles(world: World) -> None:
    """A tracker that fails half-way, three times, ends with each record once."""
    world.tracker.faults = [Retry("down"), ConnectionResetError("reset"), Retry("still down")]
    world.metrics(*range(50))
    world.finish()

    assert world.run().count("retry") == 3
    assert world.steps == list(range(50))
    assert world.folder.load_status().error == ""


def test_a_failure_says_what_and_when(world: World) -> None:
    """`runcast status` can tell the last error, how often, and when the next attempt is due."""
    world.tracker.faults = [Retry("tracker says 503")]
    assert world.lane.step() == "retry"

    status = world.folder.load_status()
    assert (status.state, status.error, status.failures) == ("retrying", "tracker says 503", 1)
    assert status.retry_at > status.time
    assert world.lane.due == 1.0


def test_after_a_failure_the_backend_is_opened_anew_from_the_saved_state(world: World) -> None:
    """One recovery path: what was not acknowledged is not in the state."""
    world.metrics(0)
    world.run()
    world.tracker.faults = [Retry("down")]
    world.metrics(1)
    world.run()

    first, second = world.tracker.opened
    assert (first.state["count"], second.state["count"]) == (2, 3)  # the half batch left no trace
    assert world.tracker.closed == 1
    assert world.steps == [0, 1]


def test_a_poisonous_record_goes_aside_and_the_rest_goes_on(world: World) -> None:
    """One of 1000 is refused: 999 arrive, one is kept with the reason, and the cursor moves."""
    world.tracker.poison = {"bad"}
    world.metrics(*range(500))
    world.metrics(500, bad=1.0)
    world.metrics(*range(501, 1000))
    world.finish()

    assert world.run()[-1] == "finished"
    assert world.steps == [*range(500), *range(501, 1000)]
    (rejected,) = world.folder.load_rejected()
    assert rejected["record"]["step"] == 500
    assert "refused" in rejected["reason"]
    assert world.folder.load_cursor().rejected == 1


def test_a_poisonous_name_does_not_take_its_neighbours_along(world: World) -> None:
    """Within one call, only the refused name is kept back."""
    world.tracker.poison = {"bad"}
    world.metrics(0, good=1.0, bad=2.0, fine=3.0)
    world.run()

    stored = {k: v for r in world.tracker.stored if isinstance(r, Metrics) for k, v in r.values.items()}
    assert stored == {"good": 1.0, "fine": 3.0}
    assert [entry["record"]["values"] for entry in world.folder.load_rejected()] == [{"bad": 2.0}]


def test_an_unexpected_exception_of_a_backend_is_a_rejection(world: World) -> None:
    """A bug in a backend costs the record that triggers it, named, and nothing else."""

    def explode(run: OpenRun) -> Ref:
        raise AssertionError

    world.metrics(0, 1)
    world.run()
    backend = world.lane._backend
    assert backend is not None
    original = backend.deliver

    def deliver(batch: Sequence[Record]) -> Receipt:
        if any(isinstance(r, Metrics) and r.step == 3 for r in batch):
            raise TypeError("unsupported operand")
        return original(batch)

    backend.deliver = deliver  # type: ignore[method-assign]  # the bug
    world.metrics(2, 3, 4)
    world.run()

    assert world.steps == [0, 1, 2, 4]
    assert world.folder.load_rejected()[0]["reason"] == "TypeError: unsupported operand"


def test_wrong_credentials_pause_the_backend_and_lose_nothing(world: World) -> None:
    """Halt keeps the cursor; after the mend everything arrives."""
    world.tracker.faults = [Halt("401: set the key")]
    world.metrics(0, 1)
    world.finish()

    assert world.lane.step() == "paused"
    status = world.folder.load_status()
    assert (status.state, status.error) == ("paused", "401: set the key")
    assert world.folder.load_cursor().records == 0

    assert world.run()[-1] == "finished"
    assert world.steps == [0, 1]


def test_death_between_delivery_and_cursor_doubles_nothing(world: World, mocker: Any) -> None:
    """The next courier begins from the saved state, which undoes what was not acknowledged."""
    world.metrics(0, 1)
    world.run()
    world.metrics(2, 3)
    mocker.patch.object(DeliveryFolder, "save_cursor", side_effect=SystemExit)
    with pytest.raises(SystemExit):
        world.lane.step()
    mocker.stopall()
    assert world.steps == [0, 1, 2, 3]
    world.lane.folder.release()

    world.lane = world.make_lane()
    world.finish()
    assert world.run()[-1] == "finished"
    assert world.steps == [0, 1, 2, 3]


def test_a_lost_cursor_means_from_the_start(world: World) -> None:
    """Without a cursor everything is sent again, and the backend starts over."""
    world.metrics(0, 1)
    world.run()
    world.lane.close()
    (world.folder.path / "cursor.json").write_bytes(b"\0garbage")

    world.lane = world.make_lane()
    world.run()
    assert world.steps == [0, 1]


def test_two_couriers_cannot_work_on_one_run(world: World) -> None:
    """The second finds the lock taken and leaves."""
    world.metrics(0)
    world.run()
    other = world.make_lane()

    assert other.step() == "busy"
    world.lane.close()
    assert other.step() == "idle"


def test_a_slow_tracker_gets_smaller_batches_after_a_failure(world: World) -> None:
    """After a time-out the batch shrinks, so that a slow tracker can take it in time."""
    world.metrics(*range(300))
    world.tracker.faults = [Retry("timeout"), Retry("timeout")]
    world.run()

    assert world.tracker.calls[:3] == [256, 64, 16]
    assert world.steps == list(range(300))


def test_a_child_waits_for_its_parent_and_gets_its_address(world: World) -> None:
    """A nested run is opened only when the parent's id in the tracker is known."""
    parent = DeliveryFolder(world.layout.delivery("parent", "scripted"))
    assert parent.acquire()
    journal = JournalWriter(world.layout.journal("child"), "child", process=world.lock.name)
    journal.append(codec.encode(RunStarted(time=1, run="child", experiment="e", name="c", parent="parent")))
    kind = backend_of(world.tracker)
    lane = Lane(world.layout, "child", "scripted", lambda: kind(kind.Options()), clock=lambda: world.now)

    assert lane.step() == "waiting"
    assert world.tracker.opened == []

    cursor = parent.load_cursor()
    cursor.ref = Ref(id="remote-parent")
    parent.save_cursor(cursor)
    world.now = lane.due
    assert lane.step() == "progress"
    assert world.tracker.opened[0].parent == Ref(id="remote-parent")


def test_a_parent_that_never_arrives_is_given_up_and_reported(world: World) -> None:
    """While a courier works on the parent the child waits; then a minute more, and its report says so."""
    parent = DeliveryFolder(world.layout.delivery("parent", "scripted"))
    assert parent.acquire()
    journal = JournalWriter(world.layout.journal("child"), "child", process=world.lock.name)
    journal.append(codec.encode(RunStarted(time=1, run="child", experiment="e", name="c", parent="parent")))
    kind = backend_of(world.tracker)
    lane = Lane(world.layout, "child", "scripted", lambda: kind(kind.Options()), clock=lambda: world.now)
    assert lane.step() == "waiting"
    world.now = 3600.0
    assert lane.step() == "waiting"  # its tracker is down, perhaps, for both of them
    parent.release()

    assert lane.step() == "progress"
    changes = DeliveryFolder(world.layout.delivery("child", "scripted")).load_report().changes
    assert [change.key for change in changes if change.what == "degraded"] == ["parent"]


def mistaken(**methods: Any) -> type[Backend]:
    """A backend that an author got wrong in one place."""

    def open_(self: Any, run: OpenRun) -> Ref:
        self.run = run
        return Ref(id="remote-1")

    body = {
        "name": "scripted",
        "capabilities": Capabilities(),
        "open": open_,
        "deliver": lambda self, batch: Receipt(),
        **methods,
    }
    return type("Mistaken", (Backend,), body)


def forgets_json(self: Any, batch: Sequence[Record]) -> Receipt:
    self.run.state["seen"] = object()
    return Receipt()


def exits(self: Any, *arguments: Any) -> Any:
    raise SystemExit(3)


def rejects(self: Any, run: OpenRun) -> Ref:
    raise Reject("no such project")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"deliver": lambda self, batch: None}, "deliver returned None"),
        ({"deliver": lambda self, batch: Receipt(["renamed"])}, "not a Receipt of Changes"),
        ({"deliver": forgets_json}, "run.state is not JSON-like"),
        ({"open": lambda self, run: "remote-1"}, "open returned 'remote-1', not a Ref"),
        ({"open": rejects}, "no such project"),
        ({"open": exits}, "SystemExit"),
        ({"__init__": lambda self, options: 1 / 0}, "ZeroDivisionError"),
    ],
)
def test_a_mistake_of_a_plugin_pauses_it_and_is_named(
    tmp_path: Path, methods: dict[str, Any], message: str
) -> None:
    """Not a loop of dying processes: the status says what the author has to mend."""
    world = World(tmp_path)
    kind = mistaken(**methods)
    delivery = Delivery(world.layout, "scripted", lambda: kind)
    delivery.add(RUN, {})

    assert delivery.work() is None
    status = world.folder.load_status()
    assert (status.state, delivery.paused) == ("paused", {RUN})
    assert message in status.error


def test_a_full_disk_at_the_cursor_sends_nothing_twice(world: World, mocker: Any) -> None:
    """What the tracker has acknowledged is remembered in memory until the cursor can be written."""
    world.metrics(0, 1)
    world.finish()
    mocker.patch.object(DeliveryFolder, "save_cursor", side_effect=OSError(28, "No space left on device"))
    outcomes = [world.lane.step() for _ in range(3)]
    assert outcomes == ["retry"] * 3
    mocker.stopall()

    assert world.run()[-1] == "finished"
    assert world.folder.load_cursor().finished
    assert sum(world.tracker.calls) == 4
    assert world.steps == [0, 1]


def test_a_process_killed_for_overstaying_comes_back_with_less(world: World) -> None:
    """A tracker that needs longer than its deadline for 256 records gets 16 at the third attempt."""
    world.metrics(*range(300))
    folder = world.folder
    folder.acquire()
    folder.release()
    folder.save_status(DeliveryStatus(state="retrying", error="killed", failures=2))
    world.lane = world.make_lane()
    world.lane.step()

    assert world.tracker.calls == [16]


def test_a_run_whose_beginning_is_damaged_is_delivered_all_the_same(tmp_path: Path) -> None:
    """The first record is gone: what is left arrives under a made-up name, and the damage is reported."""
    world = World(tmp_path)
    world.metrics(0, 1)
    world.finish()
    (segment,) = world.layout.journal(RUN).glob("*.rcj")
    header, _, rest = segment.read_bytes().split(b"\n", 2)
    segment.write_bytes(header + b"\n" + b"x" * 90 + b"\n" + rest)

    world.lock.release()
    world.run()
    assert world.steps == [0, 1]
    assert world.tracker.opened[0].started.name == "run-run1"
    assert world.folder.load_report().damage


def test_the_first_record_is_found_behind_many_of_another_rank(world: World) -> None:
    """`ranks="all"`: rank 1 was faster by more than a batch."""
    other = JournalWriter(world.layout.journal(RUN), RUN, process=world.lock.name)
    for step in range(600):
        other.append(codec.encode(Metrics(time=0, step=step, values={"a": 1.0})))

    assert world.lane.step() == "progress"
    assert world.tracker.opened[0].started.name == "n"


def test_a_deleted_run_is_not_made_again(world: World) -> None:
    """Whoever deletes a run's folder finds it gone, also when a courier looks for news."""
    world.metrics(0)
    world.run()
    world.lane.close()
    shutil.rmtree(world.layout.run(RUN))

    assert world.make_lane().step() == "idle"
    assert not world.layout.run(RUN).exists()


def test_one_slow_run_does_not_starve_another(tmp_path: Path) -> None:
    """After two seconds of one run the next has its turn."""
    world = World(tmp_path)
    world.metrics(*range(3000))
    other = JournalWriter(world.layout.journal("run2"), "run2", process=world.lock.name)
    other.append(codec.encode(RunStarted(time=1, run="run2", experiment="e", name="n")))
    order: list[str] = []

    def deliver(self: Any, batch: Sequence[Record]) -> Receipt:
        order.append(self.run.id)
        world.now += 1.5
        return Receipt()

    kind = mistaken(deliver=deliver)
    delivery = Delivery(world.layout, "scripted", lambda: kind, clock=lambda: world.now)
    delivery.add(RUN, {})
    delivery.add("run2", {})
    while delivery.work() is not None:
        pass

    assert order[:3] == [RUN, RUN, "run2"]


def test_a_masked_secret_is_never_sent(world: World) -> None:
    """`runcast deliver` without today's secret says which setting is missing."""
    kind = backend_of(world.tracker)
    delivery = Delivery(world.layout, "scripted", lambda: kind)
    delivery.add(RUN, {"uri": "http://me:[redacted]@host"})
    delivery.work()

    assert "set RUNCAST_SCRIPTED__URI" in world.folder.load_status().error
    assert world.tracker.opened == []

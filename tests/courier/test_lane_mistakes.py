"""What plugins, disks and damaged journals do to a lane."""

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
from runcast.errors import Reject
from runcast.journal import JournalWriter
from runcast.plugins import Backend, Capabilities, Made, OpenRun, Receipt, Ref
from runcast.records import Metrics, Record, RunStarted

from .lane_world import RUN, World, backend_of


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


def test_what_a_plugin_says_that_it_made_is_kept_once(tmp_path: Path) -> None:
    """Ids that a tracker gave, told with every batch, as a plugin may."""
    world = World(tmp_path)
    made = Made(what="artifact", key="weights", id="acme-7", source="old-3", url="http://acme/7")
    kind = mistaken(deliver=lambda self, batch: Receipt(made=[made]))
    lane = Lane(world.layout, RUN, "scripted", lambda: kind(kind.Options()), clock=lambda: world.now)
    for step in range(3):
        world.metrics(step)
        assert lane.step() == "progress"
    assert world.folder.load_made() == [made]
    lane.close()

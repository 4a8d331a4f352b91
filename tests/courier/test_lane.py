"""One run on its way to one backend, with faults of every kind, on an injected clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from runcast import codec
from runcast.courier.folder import DeliveryFolder
from runcast.courier.lane import Lane
from runcast.errors import Halt, Retry
from runcast.journal import JournalWriter
from runcast.plugins import Change, OpenRun, Receipt, Ref
from runcast.records import Metrics, Record, RunStarted

from .lane_world import World, backend_of


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


@pytest.mark.fault(
    "F13",
    how="one name of one record is refused",
    outcome="the record's other names arrive",
)
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


@pytest.mark.fault(
    "F02",
    how="a courier that dies after the tracker has answered, before the cursor is written",
    outcome="delivered again from the saved state: nothing twice",
)
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

"""A tracker gets full batches, however the script's records trickle in."""

from __future__ import annotations

from collections.abc import Sequence

from runcast.courier.delivery import Delivery
from runcast.plugins import Backend, Receipt
from runcast.records import Record

from .lane_world import RUN, World, backend_of


def chatty(world: World, sizes: list[int]) -> type[Backend]:
    """A backend during whose calls the script logs on."""

    class Chatty(backend_of(world.tracker)):  # type: ignore[misc]  # a class made at run time
        def deliver(self, batch: Sequence[Record]) -> Receipt:
            sizes.append(len(batch))
            if len(sizes) <= 3:
                world.metrics(100 + len(sizes))
            receipt: Receipt = super().deliver(batch)
            return receipt

    return Chatty


def test_what_is_written_during_a_call_waits_for_the_next_news(world: World) -> None:
    """A script that never stops logging does not keep the tracker busy with batches of one record."""
    sizes: list[int] = []
    delivery = Delivery(world.layout, "scripted", lambda: chatty(world, sizes))
    world.metrics(*range(10))
    delivery.add(RUN, {})
    assert delivery.work() is None, "nothing is due without news"
    assert sizes == [11]
    world.metrics(50, 51)
    assert delivery.work() is None
    assert sizes == [11, 3]
    delivery.close()


def test_a_run_that_ended_is_delivered_to_its_end(world: World) -> None:
    """Where nothing more will come, nothing is waited for."""
    sizes: list[int] = []
    delivery = Delivery(world.layout, "scripted", lambda: chatty(world, sizes))
    world.metrics(0)
    world.finish()
    delivery.add(RUN, {})
    assert delivery.work() is None
    assert not delivery.lanes, "the run is delivered and let go of"
    assert sorted(world.steps) == [0, 101, 102, 103]


def test_what_is_asked_for_once_is_delivered_to_its_end(world: World) -> None:
    """`runcast deliver` takes what came during its own calls too."""
    sizes: list[int] = []
    delivery = Delivery(world.layout, "scripted", lambda: chatty(world, sizes), once=True)
    world.metrics(0)
    delivery.add(RUN, {})
    delivery.work()
    assert world.steps == [0, 101, 102, 103]

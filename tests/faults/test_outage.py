"""A tracker that is away for twelve hours, on a clock that a test moves; and clocks that jump."""

from __future__ import annotations

import gc
import itertools
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import runcast
from runcast import codec
from runcast.courier.delivery import Delivery
from runcast.courier.pace import BREAK_AFTER, CAP
from runcast.errors import Retry
from runcast.journal import JournalWriter, Layout, ProcessLock, read_run
from runcast.plugins import Backend, Capabilities, OpenRun, Receipt, Ref
from runcast.records import Metrics, Record, RunFinished, RunStarted
from runcast.testing import FakeClock

HOUR = 3600.0
HOURS = 12
EVERY = 60.0
"""Seconds between two records of the script."""


@pytest.fixture
def same_luck() -> Iterator[None]:
    """The same delays in each run of a test."""
    before = random.getstate()
    random.seed(12)
    yield
    random.setstate(before)


class Away:
    """A tracker that does not answer until `back`; afterwards it is there, exactly once."""

    def __init__(self, clock: Callable[[], float], back: float) -> None:
        self.stored: list[Record] = []
        self.attempts = array("d")  # a list would hold an object for each
        tracker = self

        class Distant(Backend):
            name = "distant"
            capabilities = Capabilities()

            def open(self, run: OpenRun) -> Ref:
                self.run = run
                tracker.attempts.append(clock())
                if clock() < back:
                    raise Retry("nobody answers")
                del tracker.stored[run.state.setdefault("count", 0) :]
                return Ref(id="1")

            def deliver(self, batch: Sequence[Record]) -> Receipt:
                tracker.stored.extend(batch)
                self.run.state["count"] = len(tracker.stored)
                return Receipt()

        self.backend = Distant


@pytest.mark.fault(
    "F08",
    how="a tracker that is away for 12 hours of a fake clock, while the script logs every minute",
    outcome="memory flat, delays as promised, then everything in order, once",
)
def test_twelve_hours_without_a_tracker(tmp_path: Path, same_luck: None) -> None:
    """Neither courier nor script grows; the tracker is asked once a minute at most, and misses nothing."""
    clock = FakeClock()
    layout = Layout(tmp_path)
    lock = ProcessLock(layout.alive)
    writer = JournalWriter(layout.journal("r"), "r", process=lock.name)
    writer.append(codec.encode(RunStarted(time=0, run="r", experiment="e", name="n")))
    tracker = Away(clock, HOURS * HOUR)
    delivery = Delivery(layout, "distant", lambda: tracker.backend, clock=clock)
    delivery.add("r", {})
    blocks: list[int] = []
    said = 0

    def script() -> None:
        nonlocal said
        while said * EVERY < clock():
            metrics = Metrics(time=clock.time_ns(), step=said, values={"loss": said * 0.5})
            writer.append(codec.encode(metrics), expendable=True)
            said += 1

    while clock() < HOURS * HOUR:
        script()
        wait = delivery.work()
        assert wait is not None
        assert 0 < wait <= CAP
        if clock() // HOUR >= len(blocks):
            gc.collect()
            blocks.append(sys.getallocatedblocks())
        clock.advance(wait)
    writer.append(codec.encode(RunFinished(time=clock.time_ns(), status="finished")))
    while delivery.lanes:
        clock.advance(delivery.work() or 0.0)
    lock.release()

    # An hour brings 60 records; a courier that kept one object of each would show it.
    assert max(blocks[2:]) - blocks[1] < 60
    assert writer.waiting == 0
    steps = [record.step for record in tracker.stored if isinstance(record, Metrics)]
    assert steps == list(range(said))
    assert said == HOURS * HOUR / EVERY
    assert len(tracker.stored) == said + 2
    check_delays(tracker.attempts, HOURS * HOUR)


def check_delays(attempts: array[float], outage: float) -> None:
    """Full jitter: the first delays at most 1, 2, 4 ... s, later ones at most a minute, at random.

    The run and the breaker draw a delay each, and the longer one counts: two thirds of a minute on average.
    """
    delays = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    first = delays[:BREAK_AFTER]
    assert all(delay <= 2.0**number + 1 for number, delay in enumerate(first))
    assert max(delays) <= CAP
    average = sum(delays[10:]) / len(delays[10:])
    assert 0.55 * CAP < average < 0.75 * CAP
    assert attempts[-1] - outage <= CAP


@pytest.mark.fault(
    "F18",
    how="the wall clock jumps ten years ahead, twenty back and by an hour between calls",
    outcome="records keep the order in which they were said; times stand as the clock gave them",
)
def test_a_wall_clock_that_jumps_changes_no_order(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps come out as they went in, whatever the clock showed, and none is negative."""
    year, now = 365 * 86400 * 10**9, time.time_ns()
    times = [now, now + 10 * year, now - 10 * year, now + 3600 * 10**9, now - 1, now]
    with runcast.start("exp", config={"delivery": "later"}) as run:
        for step, moment in enumerate(times):
            monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment)
            run.log({"loss": 1.0}, step=step)
    records = [r for r in read_run(project / ".runcast" / "runs" / run.id) if isinstance(r, Metrics)]

    assert [(r.step, r.time) for r in records] == list(enumerate(times))
    assert all(r.time > 0 for r in records)


@pytest.mark.fault(
    "F18",
    how="the wall clock jumps while a tracker is down",
    outcome="delays go by the monotonic clock: the next attempt is neither years away nor at once",
)
def test_a_wall_clock_that_jumps_moves_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_luck: None
) -> None:
    """The tracker is asked at the same monotonic moments with a steady wall clock and with a mad one."""
    now, mad = time.time_ns(), random.Random(1)  # noqa: S311  # repeatable, not secret
    moments = []
    for jump in (0, 10 * 365 * 86400 * 10**9):
        random.seed(3)
        monkeypatch.setattr(time, "time_ns", lambda jump=jump: now + mad.choice([-jump, jump]))
        clock = FakeClock()
        layout = Layout(tmp_path / str(jump))
        writer = JournalWriter(layout.journal("r"), "r")
        writer.append(codec.encode(RunStarted(time=1, run="r", experiment="e", name="n")))
        tracker = Away(clock, 300.0)
        delivery = Delivery(
            layout, "distant", lambda tracker=tracker: tracker.backend, clock=clock, once=True
        )
        delivery.add("r", {})
        while delivery.lanes:
            clock.advance(delivery.work() or 0.0)
        writer.close()
        moments.append(tracker.attempts)

    assert moments[0] == moments[1]
    assert len(moments[0]) > 5

"""Keeping to a server's pace, on a clock that the test turns."""

from __future__ import annotations

import pytest

from runcast.plugins.throttle import LONGEST, Throttle


class Clock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def throttle(rate: float, burst: int = 1) -> tuple[Throttle, Clock]:
    """One on a clock of its own."""
    clock = Clock()
    return Throttle(rate, burst, clock=lambda: clock.now, sleep=clock.sleep), clock


def test_a_burst_and_then_the_rate() -> None:
    """Three at once, then two a second."""
    made, clock = throttle(2.0, 3)
    times = []
    for _ in range(7):
        made.wait()
        times.append(round(clock.now, 6))
    assert times == [0, 0, 0, 0.5, 1.0, 1.5, 2.0]


def test_retry_after_holds_everybody() -> None:
    """No request before the pause is over, and then no burst."""
    made, clock = throttle(10.0, 5)
    made.wait()
    made.pause(20.0)
    made.wait()
    first = clock.now
    made.wait()
    assert first >= 20.0
    assert clock.now - first >= 0.1 - 1e-6


def test_a_pause_has_an_end() -> None:
    """Nonsense from a server is not believed."""
    made, clock = throttle(1.0)
    made.pause(1e9)
    made.wait()
    assert clock.now <= LONGEST + 2


def test_a_rate_of_nothing_is_a_mistake() -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match="above 0"):
        Throttle(0.0)

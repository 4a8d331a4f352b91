"""Backoff and breaker: pure arithmetic."""

from __future__ import annotations

import math

import pytest

from runcast.courier.pace import Backoff, Breaker, clamp_after


def test_the_delay_doubles_up_to_a_minute() -> None:
    """With the widest draw, the delays are 1, 2, 4 ... 60 s, and stay there."""
    backoff = Backoff(draw=lambda: 1.0)

    assert [backoff.fail() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_thousand_failures_do_not_overflow() -> None:
    """An outage of days keeps the cap."""
    backoff = Backoff(draw=lambda: 1.0)

    assert [backoff.fail() for _ in range(2000)][-1] == 60


def test_success_starts_over() -> None:
    """After a success the next failure waits a second again."""
    backoff = Backoff(draw=lambda: 1.0)
    backoff.fail()
    backoff.fail()
    backoff.succeed()

    assert backoff.fail() == 1


def test_a_tracker_that_asks_for_more_time_gets_it() -> None:
    """`Retry-After` prolongs the delay, never shortens it."""
    assert Backoff(draw=lambda: 0.0).fail(after=7.0) == 7.0
    assert Backoff(draw=lambda: 1.0).fail(after=0.1) == 1.0


@pytest.mark.fault(
    "F12",
    how="NaN, infinity, negative and huge wishes",
    outcome="held to 0 to 300 s",
)
@pytest.mark.parametrize(
    ("asked", "given"), [(None, 0), (-1, 0), (2, 2), (1e9, 300), (math.inf, 0), (math.nan, 0)]
)
def test_nonsense_from_a_tracker_is_clamped(asked: float | None, given: float) -> None:
    """A tracker cannot stall delivery for longer than five minutes."""
    assert clamp_after(asked) == given


def test_the_breaker_opens_after_five_failures_and_closes_after_one_success() -> None:
    """Four failures let everybody try; the fifth stops all until its delay is over."""
    now = 100.0
    breaker = Breaker(lambda: now, draw=lambda: 1.0)
    for _ in range(4):
        breaker.fail()
    assert breaker.wait() == 0

    breaker.fail()
    assert breaker.open
    assert breaker.wait() == 16

    now += 16
    assert breaker.wait() == 0
    breaker.succeed()
    assert not breaker.open

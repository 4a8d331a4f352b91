"""When to try again: pure arithmetic over an injected clock and random source."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

BASE = 1.0
CAP = 60.0
LONGEST_AFTER = 300.0
BREAK_AFTER = 5


class Backoff:
    """Full jitter: a delay drawn evenly from 0 to 1, 2, 4 ... 60 s; no limit of attempts."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self.failures = 0

    def fail(self, after: float | None = None) -> float:
        """Seconds to wait after one more failure; `after` is what the tracker asked for."""
        self.failures += 1
        # 2**6 > CAP already; the exponent is held down so that years of failures cannot overflow.
        delay = self._draw() * min(CAP, BASE * 2.0 ** min(self.failures - 1, 6))
        return max(delay, clamp_after(after))

    def succeed(self) -> None:
        """Forget the failures."""
        self.failures = 0


def clamp_after(after: float | None) -> float:
    """A tracker's ``Retry-After`` in s, held to [0, 300]; nonsense counts as 0."""
    if after is None or not math.isfinite(after):
        return 0.0
    return min(max(after, 0.0), LONGEST_AFTER)


class Breaker:
    """Stops asking a tracker that failed five times in a row, whichever run asked.

    Open, it lets one attempt through when its delay is over; that one's success closes it.
    """

    def __init__(self, clock: Callable[[], float], draw: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._backoff = Backoff(draw)
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether the tracker counts as down."""
        return self._backoff.failures >= BREAK_AFTER

    def wait(self) -> float:
        """Seconds until the next attempt is allowed, 0 where it is allowed now."""
        return max(0.0, self._until - self._clock()) if self.open else 0.0

    def fail(self, after: float | None = None) -> None:
        """One more failure, of any run."""
        self._until = self._clock() + self._backoff.fail(after)

    def succeed(self) -> None:
        """The tracker answered."""
        self._backoff.succeed()

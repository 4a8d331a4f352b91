"""Keeping to the pace that a server asks for: one throttle a host, shared by the threads of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LONGEST = 300.0
"""Seconds that a server's ``Retry-After`` is believed."""


class Throttle:
    """A bucket of tokens: `burst` requests at once, then `rate` a second; a server may ask for a pause.

    Args:
        rate: requests a second.
        burst: requests that may come at once after a pause.
        clock, sleep: monotonic seconds, and waiting for them.
    """

    def __init__(
        self,
        rate: float,
        burst: int = 1,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not rate > 0 or burst < 1:
            raise ValueError(f"a rate above 0 and a burst of at least 1, not {rate} and {burst}")
        self._rate, self._burst = rate, burst
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._tokens, self._at = float(burst), clock()
        self._resume = 0.0

    def wait(self) -> float:
        """Wait for this caller's turn; gives the seconds that it took."""
        waited = 0.0
        while delay := self._delay():
            self._sleep(delay)
            waited += delay
        return waited

    def _delay(self) -> float:
        """0 where the turn is now, which takes a token."""
        with self._lock:
            now = self._clock()
            if now < self._resume:
                return self._resume - now
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens >= 1 - 1e-9:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._rate

    def pause(self, after: float | None) -> None:
        """Nobody asks again for so many seconds: the server's ``Retry-After``; None counts as 1."""
        seconds = 1.0 if after is None else min(max(after, 0.0), LONGEST)
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)
            self._tokens, self._at = 0.0, self._resume  # afterwards one by one, not all at once

"""A clock that stands still until it is told to move."""

from __future__ import annotations

import threading


class FakeClock:
    """Stands in for ``time.monotonic`` wherever runcast takes a ``clock``, and for ``time.sleep``.

    Args:
        start: seconds that it shows first.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Monotonic seconds."""
        with self._lock:
            return self._now

    def time_ns(self) -> int:
        """The same as ns."""
        return round(self() * 1_000_000_000)

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative; a monotonic clock never goes back.
        """
        if seconds < 0:
            raise ValueError(f"a monotonic clock does not go back {-seconds} s")
        with self._lock:
            self._now += seconds

    sleep = advance
    """Takes no time but the clock's own."""

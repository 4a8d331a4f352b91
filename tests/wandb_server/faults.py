"""Faults on demand: answers that fail, and answers that take their time."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """What happens instead of an answer, to the next `left` requests (None: to all) for `on` (None: for any).

    Attributes:
        status: HTTP status of the answer; 0 leaves the answer as it is, late by `delay` seconds.
        retry_after: seconds, for the header of that name.
        message: answered as an error of GraphQL, with status 200.
    """

    on: str | None = None
    left: int | None = None
    status: int = 0
    retry_after: float | None = None
    message: str | None = None
    delay: float = 0.0


class Faults:
    """The faults that are still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: list[Fault] = []
        self.happened: list[tuple[str, Fault]] = []

    def add(self, fault: Fault) -> None:
        """Let a fault happen."""
        with self._lock:
            self._coming.append(fault)

    def clear(self) -> None:
        """Let no fault happen any more."""
        with self._lock:
            self._coming.clear()

    def take(self, operation: str) -> Fault | None:
        """The fault that meets this request, if one does."""
        with self._lock:
            for fault in self._coming:
                if fault.on in (None, operation):
                    self._count(fault)
                    self.happened.append((operation, fault))
                    return fault
        return None

    def _count(self, fault: Fault) -> None:
        if fault.left is not None:
            fault.left -= 1
            if not fault.left:
                self._coming.remove(fault)

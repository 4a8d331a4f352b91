"""How hard a host may be asked: one budget for all processes of a user on this machine.

A host that has too much to do says so: 429 (RFC 6585), or 503 with ``Retry-After`` (RFC 9110, 10.2.3).
Whichever process hears it, all leave that host alone until the time that it asked for is over. From then
on their requests to it keep a distance from each other: `FIRST` seconds, twice as much with each further
refusal, at most `WIDEST`, and half as much again after every `EASE` seconds without one.

The budget is three numbers in a file of the user's cache folder, changed under a lock. Without such a
folder, or without locks, each process only goes by what it hears itself.
"""

from __future__ import annotations

import contextlib
import email.utils
import fcntl
import hashlib
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from runcast import cache

FIRST, WIDEST, LEAST = 0.2, 2.0, 0.01
"""Seconds between two requests after one refusal, at most, and where the distance counts as none."""
EASE = 10.0
LONGEST = 300.0
"""Seconds that a host is left alone at most, whatever it asks for."""
BURST = 1.0
"""Refusals of so many seconds count once: requests that were under way already tell nothing new."""

now: Callable[[], float] = time.time
"""Seconds since 1970; what all processes agree on."""


class _Budget(NamedTuple):
    """Unix time of the next turn; seconds between turns as of the last refusal; unix time of that."""

    free: float = 0.0
    gap: float = 0.0
    refused: float = 0.0

    def distance(self, at: float) -> float:
        """Seconds between turns by now."""
        gap = self.gap * 0.5 ** (max(0.0, at - self.refused) / EASE)
        return gap if gap >= LEAST else 0.0

    def wait(self, at: float) -> float:
        """Seconds until the next turn; a clock that was set back does not make it longer than `LONGEST`."""
        return min(max(0.0, self.free - at), LONGEST)


class Host:
    """The budget of one host, as this process and others see it.

    Args:
        name: host and port.
    """

    def __init__(self, name: str) -> None:
        folder = cache.folder()
        digest = hashlib.blake2b(name.lower().encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        self._path = None if folder is None else folder / "hosts" / digest

    def wait(self) -> float:
        """Seconds until the next turn; none is taken."""
        return self._change(lambda budget: budget).wait(now())

    def turn(self, patience: float) -> float:
        """Seconds until the turn that was just taken; none was where they are more than `patience`."""
        at = now()
        waits = 0.0

        def take(budget: _Budget) -> _Budget:
            nonlocal waits
            waits, distance = budget.wait(at), budget.distance(at)
            if waits > patience or (not waits and not distance):
                return budget
            return budget._replace(free=at + waits + distance)

        self._change(take)
        return waits

    def refuse(self, after: float) -> None:
        """The host refused a request, and wants to be left alone for `after` seconds."""
        at = now()
        hold = min(max(after, 0.0), LONGEST)

        def widen(budget: _Budget) -> _Budget:
            gap, refused = budget.gap, budget.refused
            if not 0 <= at - refused < BURST:
                gap, refused = min(max(2 * budget.distance(at), FIRST), WIDEST), at
            return _Budget(max(at + budget.wait(at), at + hold), gap, refused)

        self._change(widen, create=True)

    def _change(self, change: Callable[[_Budget], _Budget], *, create: bool = False) -> _Budget:
        if self._path is None:
            return change(_Budget())
        try:
            with _opened(self._path, create=create) as file:
                before = _parsed(os.pread(file, 200, 0))
                after = change(before)
                if after != before:
                    os.ftruncate(file, os.pwrite(file, " ".join(map(repr, after)).encode(), 0))
                return after
        except OSError:
            return change(_Budget())


@contextlib.contextmanager
def _opened(path: Path, *, create: bool) -> Iterator[int]:
    if create:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _parsed(text: bytes) -> _Budget:
    try:
        free, gap, refused = map(float, text.split())
    except ValueError:
        return _Budget()
    known = all(map(math.isfinite, (free, gap, refused))) and 0 <= gap <= WIDEST
    return _Budget(free, gap, refused) if known else _Budget()


def seconds(header: str | None) -> float | None:
    """What a ``Retry-After`` asks for: seconds, or a date of HTTP; None where it is neither."""
    text = (header or "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

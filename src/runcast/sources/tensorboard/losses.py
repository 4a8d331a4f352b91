"""What a reading could not give back, counted by name and reason."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from runcast.records import Lost

_NAMES = 1000
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def passes(error: OSError) -> bool:
    """Whether it is the machine's trouble, which may pass, and not that of one file which cannot be read."""
    return error.errno in _PASSING


class Losses:
    """Counts; what is told of more than a thousand names is told of the run."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._details: dict[tuple[str, str], str | None] = {}

    def add(self, key: str, reason: str, count: int = 1, detail: str | None = None) -> None:
        """One more."""
        place = key, reason
        if place not in self._counts and len(self._counts) >= _NAMES:
            place = "", reason
        self._counts[place] = self._counts.get(place, 0) + count
        self._details.setdefault(place, detail)

    def records(self, time: int) -> Iterator[Lost]:
        """One record each, all of one time, so that two readings say the same."""
        for (key, reason), count in self._counts.items():
            yield Lost(time=time, key=key, reason=reason, count=count, detail=self._details[key, reason])

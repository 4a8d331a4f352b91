"""The second half of a migration: staged journals, carried to the destination by the courier's workers."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from runcast.courier.folder import Cursor, DeliveryFolder
from runcast.courier.supervisor import Supervisor
from runcast.journal import Layout


class Carriers:
    """Worker processes for one destination, each with its share of the runs.

    Args:
        layout: where the journals are.
        backend: the destination's name.
        options: its options.
        count: how many processes; a parent and its children always share one.
    """

    def __init__(self, layout: Layout, backend: str, options: dict[str, Any], count: int) -> None:
        self._layout, self._backend, self._options = layout, backend, options
        self._supervisors = [Supervisor(layout, "", None, once=True) for _ in range(max(1, count))]
        self._family: dict[str, int] = {}

    def add(self, run: str, parent: str | None) -> None:
        """Carry one more run; parents come first."""
        if parent in self._family:
            share = self._family[parent]
        else:
            share = zlib.crc32(run.encode()) % len(self._supervisors)
        self._family[run] = share
        self._supervisors[share].add(run, {self._backend: self._options})

    def turn(self) -> bool:
        """Half a second of work at most; True while something is left."""
        for supervisor in self._supervisors:
            if any(worker.left for worker in supervisor.workers.values()):
                supervisor.turn()
        return self.left > 0

    @property
    def left(self) -> int:
        """Runs that are not done with."""
        return sum(w.left for supervisor in self._supervisors for w in supervisor.workers.values())

    def outcome(self, run: str) -> tuple[Cursor, str]:
        """How far one run came, and what keeps it, "" where it is whole."""
        folder = DeliveryFolder(self._layout.delivery(run, self._backend))
        cursor, status = folder.load_cursor(), folder.load_status()
        return cursor, status.error if status.state in ("paused", "retrying") else ""

    def reports(self, run: str) -> Iterator[str]:
        """What the destination got in another form, in words."""
        for change in DeliveryFolder(self._layout.delivery(run, self._backend)).load_report().changes:
            yield f"{change.what} {change.key}: {change.detail}"

    def stop(self) -> None:
        """End the workers."""
        for supervisor in self._supervisors:
            supervisor.stop()

"""The second half of a migration: staged journals, carried to the destination by the courier's workers."""

from __future__ import annotations

import os
import zlib
from collections.abc import Collection, Iterable
from typing import Any

from runcast.courier.folder import Cursor, DeliveryFolder
from runcast.courier.supervisor import Supervisor
from runcast.journal import JournalReader, Layout
from runcast.receipts import Change


def outcome(layout: Layout, run: str, backend: str) -> tuple[Cursor, str]:
    """How far one run came, and the error that keeps it, "" where none does."""
    folder = DeliveryFolder(layout.delivery(run, backend))
    cursor, status = folder.load_cursor(), folder.load_status()
    return cursor, status.error if status.state in ("paused", "retrying") else ""


def is_whole(layout: Layout, run: str, cursor: Cursor) -> bool:
    """Whether the destination has acknowledged all that the journal holds."""
    if cursor.ref is None:
        return False
    folder, known = layout.journal(run), cursor.position.offsets
    if all(known.get(path.stem) == path.stat().st_size for path in folder.glob("*.rcj")):
        return True
    return not JournalReader(folder, cursor.position.copy(), run=run).read(1)


def changes(layout: Layout, run: str, backend: str) -> list[Change]:
    """What the destination got in another form."""
    return list(DeliveryFolder(layout.delivery(run, backend)).load_report().changes)


def refused(layout: Layout, run: str, backend: str) -> str:
    """The first reason why the destination refused a record, "" where it refused none."""
    entries = DeliveryFolder(layout.delivery(run, backend)).load_rejected()
    return str(entries[0].get("reason", "")) if entries else ""


class Carriers:
    """Worker processes for one destination, each with its share of the runs.

    Args:
        layout: where the journals are.
        backend: the destination's name.
        options: its options.
        count: how many processes; a parent and its children always share one.
        expected: runs that are to be added.
    """

    def __init__(
        self, layout: Layout, backend: str, options: dict[str, Any], count: int, expected: Iterable[str] = ()
    ) -> None:
        self._layout, self._backend, self._options = layout, backend, options
        # Those who read meanwhile, in threads, may have a client's variables changed for as long as they ask.
        environment = dict(os.environ)
        # Of a run that goes on in its tracker the journal has no last word, and must not get one.
        self._supervisors = [
            Supervisor(layout, "", None, once=True, closing=False, environment=environment)
            for _ in range(max(1, count))
        ]
        self._family: dict[str, int] = {}
        self._expected = set(expected)
        self._waiting: dict[str, tuple[str | None, Collection[str]]] = {}

    def add(self, run: str, parent: str | None, uses: Collection[str] = ()) -> None:
        """Carry one more run; parents come first, and so do runs that made what it uses.

        A tracker can only link to what is there: W&B, for one, would take the user of an artifact for its
        maker.
        """
        self._expected.discard(run)
        if uses:
            self._waiting[run] = parent, uses
        else:
            self._start(run, parent)

    def skip(self, run: str) -> None:
        """A run that was expected does not come."""
        self._expected.discard(run)

    def _start(self, run: str, parent: str | None) -> None:
        if parent in self._family:
            share = self._family[parent]
        else:
            share = zlib.crc32(run.encode()) % len(self._supervisors)
        self._family[run] = share
        self._supervisors[share].add(run, {self._backend: self._options})

    def resume(self) -> bool:
        """Try again what somebody else holds: a worker of a migration that was killed may outlive it.

        Returns:
            Whether there is such a run.
        """
        held = []
        for run in self._family:
            cursor, error = outcome(self._layout, run, self._backend)
            if not error and not is_whole(self._layout, run, cursor):
                held.append(run)
        for run in held:
            self._supervisors[self._family[run]].add(run, {self._backend: self._options})
        return bool(held)

    def _release(self) -> None:
        """Start what waits for nothing any more; where all that is left wait for each other, every one."""
        if not self._waiting:
            return
        needed = {run for _, uses in self._waiting.values() for run in uses}
        missing = {
            run for run in needed if run in self._expected or run in self._waiting or self._is_under_way(run)
        }
        ready = [run for run, (_, uses) in self._waiting.items() if missing.isdisjoint(uses)]
        if not ready and not self._expected and not self._working:
            ready = list(self._waiting)
        for run in ready:
            parent, _ = self._waiting.pop(run)
            self._start(run, parent)

    def _is_under_way(self, run: str) -> bool:
        if run not in self._family:
            return False
        cursor, _ = outcome(self._layout, run, self._backend)
        return self._working > 0 and not is_whole(self._layout, run, cursor)

    def turn(self) -> bool:
        """Half a second of work at most; True while something is left."""
        self._release()
        for supervisor in self._supervisors:
            if any(worker.left for worker in supervisor.workers.values()):
                supervisor.turn()
        return self.left > 0

    @property
    def left(self) -> int:
        """Runs that may still come further; one that needs a person is not among them."""
        return len(self._waiting) + self._working

    @property
    def _working(self) -> int:
        return sum(w.left for supervisor in self._supervisors for w in supervisor.workers.values())

    @property
    def done(self) -> int:
        """Grows with what is delivered."""
        return sum(w.done for supervisor in self._supervisors for w in supervisor.workers.values())

    def trouble(self) -> str:
        """The error that keeps some run, "" where none does."""
        for run in self._family:
            _, error = outcome(self._layout, run, self._backend)
            if error:
                return error
        workers = (worker for supervisor in self._supervisors for worker in supervisor.workers.values())
        return next((worker.trouble for worker in workers if worker.trouble), "")

    def stop(self) -> None:
        """End the workers."""
        for supervisor in self._supervisors:
            supervisor.stop()

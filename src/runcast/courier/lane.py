"""One run on its way to one backend.

A lane reads the journal from its cursor, hands batches to the backend and moves the cursor when the
backend has answered. Whatever goes wrong, there is one way back: throw the backend's instance away
and open a new one from what was last saved, as after a crash.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from runcast import codec
from runcast.courier.closing import beginnings, has_living_writer, is_over
from runcast.courier.folder import Cursor, DeliveryFolder
from runcast.courier.notes import Notes
from runcast.courier.pace import Backoff
from runcast.courier.routing import Routing
from runcast.errors import DeliveryError, FormatError, Halt, Reject, Retry
from runcast.journal import Blobs, JournalReader, Layout, held_bytes, is_run_id, settle
from runcast.plugins.backend import Backend, OpenRun
from runcast.receipts import Change, Made, Receipt, Ref
from runcast.records import Metrics, Record, RunStarted, split
from runcast.redact import redact_text

FIRST_BATCH = 256
LARGEST_BATCH = 20_000
FAST, SLOW = 0.5, 5.0
PARENT_PATIENCE = 60.0
"""Seconds that a child waits for a parent that no courier is working on."""
LOADING = 300.0
"""Seconds that finding the backend may take: its imports come from a slow network disk, perhaps."""

READING = 20e6
"""Bytes per second that a slow disk reads, at least."""

Outcome = Literal["progress", "idle", "waiting", "retry", "paused", "finished", "busy"]
"""``idle``: nothing to do until there is news; ``waiting``: for the parent, which will take a while."""


class Lane:
    """Carries one run to one backend.

    Args:
        layout: the runcast directory.
        run: the run's id.
        make: builds the backend's instance; may raise Halt.
        name: the backend's name.
        clock: monotonic seconds.
        beat: called before each call into the backend with the seconds that it may take.
    """

    def __init__(
        self,
        layout: Layout,
        run: str,
        name: str,
        make: Callable[[], Backend],
        *,
        clock: Callable[[], float] = time.monotonic,
        beat: Callable[[float], None] = lambda seconds: None,
        backoff: Backoff | None = None,
    ) -> None:
        self.run = run
        self.name = name
        self.folder = DeliveryFolder(layout.delivery(run, name))
        self.due = 0.0
        """Clock time before which nothing is to be tried."""
        self.drained = False
        """Whether the last batch took everything that was there of a run that goes on."""
        self._layout = layout
        self._make = make
        self._clock = clock
        self._beat = beat
        self._backoff = backoff or Backoff()
        self._batch = FIRST_BATCH
        self._cursor: Cursor | None = None
        self._unsaved = False
        self._reader = JournalReader(layout.journal(run), run=run)
        self._routing = Routing(layout.journal(run), name)
        self._backend: Backend | None = None
        self._context: OpenRun | None = None
        self._notes = Notes(self.folder)
        self._parent_since: float | None = None
        self.retry_after: float | None = None

    def step(self) -> Outcome:
        """Deliver one batch, if one is due. Raises nothing: what is unforeseen is tried again later."""
        journal = self._layout.journal(self.run)
        if not journal.is_dir() or journal.is_symlink() or journal.parent.is_symlink():
            return "idle"  # not written yet, or deleted: do not make its folder again
        if self.folder.is_linked():
            return "idle"  # a forged folder: what is written there would land elsewhere
        try:
            if not self.folder.acquire():
                return "busy"
            return self._step()
        except FormatError as error:
            return self._pause(str(error))
        except Halt as error:
            self._drop_backend()
            return self._pause(str(error))
        except Exception as error:
            self._drop_backend()
            return self._retry_later(error)

    def close(self) -> None:
        """Let go of the tracker and of the folder."""
        self._drop_backend()
        self.folder.release()

    def _step(self) -> Outcome:
        cursor = self._load()
        if self._unsaved:
            self._save(cursor)
        batch = self._reader.read(self._batch)
        self._notes.damage(self._reader.damage)
        self._reader.damage.clear()
        if not batch:
            return self._rest(cursor)
        if self._backend is None and not self._open(cursor, batch):
            self._rewind(cursor)
            self.due = self._clock() + 1.0
            return "waiting" if self._parent_since is not None else "idle"
        self._notes.say("delivering")
        routed, changes = self._routing.apply(batch)
        self._notes.keep(changes)
        routed = self._settled(routed)
        began = self._clock()
        rejected = self._deliver(routed) if routed else []
        self._acknowledge(cursor, batch, rejected)
        self._pace_batches(self._clock() - began)
        self.drained = self._reader.drained and not is_over(self._layout, self.run)
        if self.drained:
            self._notes.say("delivered")
        return "progress"

    def _settled(self, batch: list[Record]) -> list[Record]:
        """The batch with the digests of files that nobody has read yet; the first lane reads them."""
        if set(map(type, batch)) == {Metrics}:
            return batch
        if size := sum(map(held_bytes, batch)):
            self._beat(LOADING + size / READING)
        blobs = Blobs(self._layout.blobs)
        return [settle(record, blobs) for record in batch]

    def _load(self) -> Cursor:
        if self._cursor is None:
            self._cursor = self.folder.load_cursor()
            self._rewind(self._cursor)
            self._notes.load()
            before = self.folder.load_status()
            if before.state == "retrying":
                # A process that was killed for overstaying must not come back with the same big batch.
                self._batch = max(1, FIRST_BATCH >> 2 * min(before.failures, 8))
        return self._cursor

    def _rewind(self, cursor: Cursor) -> None:
        self._reader = JournalReader(self._layout.journal(self.run), cursor.position.copy(), run=self.run)

    def _save(self, cursor: Cursor) -> None:
        """What cannot be saved now stays in memory and is saved before anything else is sent."""
        self._unsaved = True
        self.folder.save_cursor(cursor)
        self._unsaved = False

    def _open(self, cursor: Cursor, batch: Sequence[Record]) -> bool:
        """Open the run in the tracker; False where its first record, or its parent, is not there yet."""
        started = self._started(cursor, batch)
        parent = None
        if started is None:
            return False
        if started.parent is not None and is_run_id(started.parent):
            parent_cursor = DeliveryFolder(self._layout.delivery(started.parent, self.name)).load_cursor()
            parent = parent_cursor.ref
            if parent is None and self._wait_for(started.parent):
                return False
        self._context = OpenRun(
            id=self.run,
            started=started,
            folder=self.folder.state_folder().absolute(),
            blobs=self._layout.blobs.absolute(),
            state=copy.deepcopy(cursor.state),
            parent=parent,
        )
        self._parent_since = None
        self._beat(LOADING)
        self._backend = backend = self._make()
        self._beat(backend.deadline)
        try:
            ref = backend.open(self._context)
        except (Retry, Halt, OSError, MemoryError):
            raise
        except _UNEXPECTED as error:
            reason = str(error) if isinstance(error, DeliveryError) else _describe(error)
            raise Halt(f"{self.name}: opening the run failed: {reason}") from error
        if not isinstance(ref, Ref):
            raise Halt(f"{self.name}: a mistake of the plugin: open returned {ref!r:.80}, not a Ref")
        state = self._snapshot()
        if ref != cursor.ref or state != cursor.state:
            cursor.ref, cursor.state = ref, state
            self._save(cursor)
        return True

    def _snapshot(self) -> dict[str, Any]:
        """The backend's memory as it will be read back."""
        state = self._context.state if self._context else {}
        try:
            copied: dict[str, Any] = codec.from_json(codec.to_json(state), dict[str, Any])
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise Halt(
                f"{self.name}: a mistake of the plugin: run.state is not JSON-like: {error}"
            ) from error
        return copied

    def _started(self, cursor: Cursor, batch: Sequence[Record]) -> RunStarted | None:
        if not cursor.started:
            # The first record of rank 0; however many of another rank may stand before it.
            first = next((record for record in batch if isinstance(record, RunStarted)), None)
            first = first or next(iter(beginnings(self._layout.journal(self.run))), None)
            if first is None and has_living_writer(self._layout, self.run):
                return None
            if first is None:  # damaged: what is left of the run is worth something without it
                first = RunStarted(
                    time=batch[0].time, run=self.run, experiment="default", name=f"run-{self.run[:6]}"
                )
            cursor.started = codec.encode(first).decode("utf-8", "surrogatepass")
        record = codec.decode(cursor.started.encode("utf-8", "surrogatepass"))
        if not isinstance(record, RunStarted):
            raise Halt(f"the cursor of {self.name} is damaged: delete {self.folder.path / 'cursor.json'}")
        return record

    def _wait_for(self, parent: str) -> bool:
        """Whether the parent may still arrive at this tracker."""
        folder = DeliveryFolder(self._layout.delivery(parent, self.name))
        asked = any(self.name in first.backends for first in beginnings(self._layout.journal(parent)))
        if asked or folder.path.is_dir():
            if self._parent_since is None:
                self._parent_since = self._clock()
            # A tracker that is down holds up parent and child alike, for as long as it takes.
            if folder.is_held() or self._clock() - self._parent_since < PARENT_PATIENCE:
                return True
        self._notes.keep([Change("degraded", "parent", f"run {parent} has not arrived in {self.name}")])
        return False

    def _deliver(self, batch: Sequence[Record]) -> list[tuple[Record, str]]:
        """Deliver what can be; gives the records that the tracker refuses, with the reason."""
        backend = self._backend
        if backend is None:
            raise RuntimeError("deliver before open")
        self._beat(backend.deadline)
        try:
            receipt = backend.deliver(batch)
        except (Retry, Halt, OSError, MemoryError):
            raise
        except _UNEXPECTED as error:
            reason = str(error) if isinstance(error, Reject) else _describe(error)
            parts: list[Any] = list(batch) if len(batch) > 1 else split(batch[0])
            if len(parts) == 1:
                return [(batch[0], redact_text(reason))]
            middle = len(parts) // 2
            return self._deliver(parts[:middle]) + self._deliver(parts[middle:])
        if (
            not isinstance(receipt, Receipt)
            or not all(isinstance(c, Change) for c in receipt.changes)
            or not all(isinstance(m, Made) for m in receipt.made)
        ):
            found = f"{receipt!r:.80}"
            raise Halt(
                f"{self.name}: a mistake of the plugin: deliver returned {found}, not a Receipt of Changes"
            )
        self._notes.keep(receipt.changes)
        if receipt.made:
            self.folder.add_made(receipt.made)
        return []

    def _acknowledge(
        self, cursor: Cursor, batch: Sequence[Record], rejected: list[tuple[Record, str]]
    ) -> None:
        state = self._snapshot()
        if rejected:
            self.folder.add_rejected(rejected)
            cursor.rejected += len(rejected)
        cursor.records += len(batch)
        cursor.position = self._reader.position.copy()
        cursor.state = state
        cursor.finished = False
        self._save(cursor)
        self._backoff.succeed()

    def _rest(self, cursor: Cursor) -> Outcome:
        """Nothing is left to read: is the run over?"""
        if not cursor.records:
            return "idle"
        self._notes.say("delivered")
        if not is_over(self._layout, self.run):
            return "idle"
        if self._reader.read(1):  # the last word came after the look that found nothing
            self._rewind(cursor)
            self.drained = False
            return "progress"
        if not cursor.finished:
            self._drop_backend()  # before saying so: closing may still write
            cursor.finished = True
            self._save(cursor)
        return "finished"

    def _pace_batches(self, seconds: float) -> None:
        if seconds < FAST:  # each batch costs the disk a few waits
            self._batch = min(LARGEST_BATCH, self._batch * (2 if seconds > FAST / 5 else 8))
        elif seconds > SLOW:
            self._batch = max(1, self._batch // 2)

    def _retry_later(self, error: BaseException) -> Outcome:
        self.retry_after = error.after if isinstance(error, Retry) else None
        delay = self._backoff.fail(self.retry_after)
        self.due = self._clock() + delay
        self._batch = max(1, self._batch // 4)
        message = str(error) if isinstance(error, Retry) else _describe(error)
        self._notes.say("retrying", message, failures=self._backoff.failures, retry_in=delay)
        if self._cursor is not None:
            self._rewind(self._cursor)
        return "retry"

    def _pause(self, message: str) -> Outcome:
        self._notes.say("paused", message, failures=self._backoff.failures)
        if self._cursor is not None:
            self._rewind(self._cursor)
        return "paused"

    def _drop_backend(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            self._beat(backend.deadline)
            with contextlib.suppress(*_UNEXPECTED):  # what was acknowledged is safe, see the contract
                backend.close()


_UNEXPECTED = (Exception, SystemExit)
"""Some clients end the process where they should raise."""


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # a client's own class may fail even at that
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

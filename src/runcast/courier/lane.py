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

from runcast import codec
from runcast.courier.closing import is_over
from runcast.courier.folder import Cursor, DeliveryFolder, DeliveryStatus, State
from runcast.courier.pace import Backoff
from runcast.errors import DeliveryError, FormatError, Halt, Reject, Retry
from runcast.journal import JournalReader, Layout
from runcast.plugins.backend import Backend, OpenRun
from runcast.receipts import Change, Receipt, Ref
from runcast.records import Record, RunStarted, split
from runcast.redact import redact_text

FIRST_BATCH = 256
LARGEST_BATCH = 20_000
FAST, SLOW = 0.5, 5.0
PARENT_PATIENCE = 60.0

Outcome = Literal["progress", "idle", "retry", "paused", "finished", "busy"]


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
        self._layout = layout
        self._make = make
        self._clock = clock
        self._beat = beat
        self._backoff = backoff or Backoff()
        self._batch = FIRST_BATCH
        self._cursor: Cursor | None = None
        self._reader = JournalReader(layout.journal(run))
        self._backend: Backend | None = None
        self._context: OpenRun | None = None
        self._status = DeliveryStatus()
        self._changes: dict[tuple[str, str], Change] = {}
        self._parent_since: float | None = None
        self.retry_after: float | None = None

    def step(self) -> Outcome:
        """Deliver one batch, if one is due."""
        if not self.folder.acquire():
            return "busy"
        try:
            return self._step()
        except FormatError as error:
            return self._pause(str(error))
        except Halt as error:
            self._drop_backend()
            return self._pause(str(error))
        except (Retry, OSError, MemoryError) as error:
            self._drop_backend()
            return self._retry_later(error)

    def close(self) -> None:
        """Let go of the tracker and of the folder."""
        self._drop_backend()
        self.folder.release()

    def _step(self) -> Outcome:
        cursor = self._load()
        batch = self._reader.read(self._batch)
        self._note_damage()
        if not batch:
            return self._rest(cursor)
        if self._backend is None and not self._open(cursor, batch):
            self._rewind(cursor)
            self.due = self._clock() + 1.0
            return "idle"
        self._say("delivering")
        began = self._clock()
        rejected = self._deliver(batch)
        self._acknowledge(cursor, batch, rejected)
        self._pace_batches(self._clock() - began)
        return "progress"

    def _load(self) -> Cursor:
        if self._cursor is None:
            self._cursor = self.folder.load_cursor()
            self._reader = JournalReader(self._layout.journal(self.run), self._cursor.position.copy())
            report = self.folder.load_report()
            self._changes = {(change.what, change.key): change for change in report.changes}
            self._status = self.folder.load_status()
        return self._cursor

    def _rewind(self, cursor: Cursor) -> None:
        self._reader = JournalReader(self._layout.journal(self.run), cursor.position.copy())

    def _open(self, cursor: Cursor, batch: Sequence[Record]) -> bool:
        """Open the run in the tracker; False where its parent is not there yet."""
        started = self._started(cursor, batch)
        parent = None
        if started.parent is not None:
            parent_cursor = DeliveryFolder(self._layout.delivery(started.parent, self.name)).load_cursor()
            parent = parent_cursor.ref
            if parent is None and self._wait_for(started.parent):
                return False
        self._context = OpenRun(
            id=self.run,
            started=started,
            folder=self.folder.state_folder(),
            blobs=self._layout.blobs.absolute(),
            state=copy.deepcopy(cursor.state),
            parent=parent,
        )
        backend = self._make()
        self._beat(backend.deadline)
        try:
            ref = backend.open(self._context)
        except (DeliveryError, OSError, MemoryError):
            with contextlib.suppress(Exception):
                backend.close()
            raise
        except Exception as error:
            raise Halt(f"{self.name}: opening the run failed: {_describe(error)}") from error
        if not isinstance(ref, Ref):
            raise Halt(f"{self.name}: open() must return a Ref, not {type(ref).__name__}: update the plugin")
        self._backend = backend
        if ref != cursor.ref or self._context.state != cursor.state:
            cursor.ref = ref
            cursor.state = copy.deepcopy(self._context.state)
            self._save(cursor)
        return True

    def _save(self, cursor: Cursor) -> None:
        try:
            self.folder.save_cursor(cursor)
        except (TypeError, ValueError, RecursionError) as error:
            self._cursor = None  # what stands on disk counts
            raise Halt(f"{self.name}: run.state is not JSON-like ({error}): update the plugin") from error

    def _started(self, cursor: Cursor, batch: Sequence[Record]) -> RunStarted:
        if not cursor.started:
            # The first record of rank 0; another rank's records may stand before it.
            first = next((record for record in batch if isinstance(record, RunStarted)), None)
            if first is None:
                raise Retry("the run's first record is not there yet")
            cursor.started = codec.encode(first).decode("utf-8", "surrogatepass")
        record = codec.decode(cursor.started.encode("utf-8", "surrogatepass"))
        if not isinstance(record, RunStarted):
            raise Halt(f"the cursor of {self.name} is damaged: delete {self.folder.path / 'cursor.json'}")
        return record

    def _wait_for(self, parent: str) -> bool:
        """Whether the parent may still arrive at this tracker."""
        if not self._layout.delivery(parent, self.name).is_dir():
            return False
        if self._parent_since is None:
            self._parent_since = self._clock()
        if self._clock() - self._parent_since < PARENT_PATIENCE:
            return True
        self._keep([Change("degraded", "parent", f"run {parent} has not arrived in {self.name}")])
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
        except Exception as error:
            reason = str(error) if isinstance(error, Reject) else _describe(error)
            parts: list[Any] = list(batch) if len(batch) > 1 else split(batch[0])
            if len(parts) == 1:
                return [(batch[0], redact_text(reason))]
            middle = len(parts) // 2
            return self._deliver(parts[:middle]) + self._deliver(parts[middle:])
        if not _is_receipt(receipt):
            raise Halt(f"{self.name}: deliver() must return a Receipt of Changes: update the plugin")
        self._keep(receipt.changes)
        return []

    def _acknowledge(
        self, cursor: Cursor, batch: Sequence[Record], rejected: list[tuple[Record, str]]
    ) -> None:
        if rejected:
            self.folder.add_rejected(rejected)
            cursor.rejected += len(rejected)
        cursor.records += len(batch)
        cursor.position = self._reader.position.copy()
        cursor.state = copy.deepcopy(self._context.state) if self._context else {}
        cursor.finished = False
        self._save(cursor)
        self._backoff.succeed()

    def _rest(self, cursor: Cursor) -> Outcome:
        """Nothing is left to read: is the run over?"""
        if not cursor.records:
            return "idle"
        self._say("delivered")
        if not is_over(self._layout, self.run):
            return "idle"
        if not cursor.finished:
            self._drop_backend()  # before saying so: closing may still write
            cursor.finished = True
            self.folder.save_cursor(cursor)
        return "finished"

    def _pace_batches(self, seconds: float) -> None:
        if seconds < FAST:
            self._batch = min(LARGEST_BATCH, self._batch * 2)
        elif seconds > SLOW:
            self._batch = max(1, self._batch // 2)

    def _retry_later(self, error: BaseException) -> Outcome:
        self.retry_after = error.after if isinstance(error, Retry) else None
        delay = self._backoff.fail(self.retry_after)
        self.due = self._clock() + delay
        self._batch = max(1, self._batch // 4)
        message = str(error) if isinstance(error, Retry) else _describe(error)
        self._say("retrying", message, retry_in=delay)
        if self._cursor is not None:
            self._rewind(self._cursor)
        return "retry"

    def _pause(self, message: str) -> Outcome:
        self._say("paused", message)
        if self._cursor is not None:
            self._rewind(self._cursor)
        return "paused"

    def _drop_backend(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            self._beat(backend.deadline)
            with contextlib.suppress(Exception):  # what was acknowledged is safe, see the contract
                backend.close()

    def _keep(self, changes: Sequence[Change]) -> None:
        fresh: dict[tuple[str, str], Change] = {(change.what, change.key): change for change in changes}
        if fresh.items() <= self._changes.items():
            return
        self._changes |= fresh
        report = self.folder.load_report()
        report.changes = list(self._changes.values())
        self.folder.save_report(report)

    def _note_damage(self) -> None:
        if self._reader.damage:
            report = self.folder.load_report()
            lines = [
                f"{d.segment}: {d.message}" + (f" ({d.missing})" if d.missing else "")
                for d in self._reader.damage
            ]
            report.damage = list(dict.fromkeys(report.damage + lines))
            self.folder.save_report(report)
            self._reader.damage.clear()

    def _say(self, state: State, error: str = "", *, retry_in: float = 0.0) -> None:
        now = time.time_ns()
        status = DeliveryStatus(
            state=state,
            error=redact_text(error),
            failures=self._backoff.failures,
            retry_at=now + int(retry_in * 1e9) if retry_in else 0,
            time=now,
        )
        old = self._status
        if (old.state, old.error, old.failures) != (status.state, status.error, status.failures):
            self._status = status
            self.folder.save_status(status)


def _is_receipt(answer: Any) -> bool:
    """What a plugin written without types gives back need not be what it should."""
    if not isinstance(answer, Receipt) or not isinstance(answer.changes, Sequence):
        return False
    return all(isinstance(change, Change) for change in answer.changes)


def _describe(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

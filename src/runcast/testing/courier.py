"""A courier that can be made to die at any moment: the same calls in the same order, in this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runcast import codec
from runcast.errors import Halt, Retry
from runcast.journal import Blobs, JournalWriter, Layout, make_private, read_run
from runcast.plugins import Backend, Change, OpenRun, Ref
from runcast.receipts import Receipt
from runcast.records import Record, RunFinished, RunStarted, split
from runcast.testing.golden import Story
from runcast.testing.readback import Model, ReadBack


class Courier:
    """Carries one run to one backend.

    The story goes through a real journal, so records have the identities and the order that a courier
    sees. State is kept as the courier's cursor keeps it, as JSON; what does not survive that is a fault
    of the backend, and said at once.

    Args:
        backend: the class under test.
        options: for its ``Options``.
        root: the project's folder; relative paths of the options start there.
        story: what the run says.
        run: its id; random where left out.
        parent: where the parent is in the tracker.

    Attributes:
        records: as the journal gives them.
        state: as last saved.
        ref: as the backend gave it last.
        changes: everything reported in any receipt.
        rejected: records that were refused, with the error.
    """

    def __init__(
        self,
        backend: type[Backend],
        options: Mapping[str, Any],
        root: Path,
        story: Story,
        *,
        run: str | None = None,
        parent: Ref | None = None,
    ) -> None:
        self.kind, self.root, self.parent = backend, root, parent
        self.id = run or os.urandom(8).hex()
        self.layout = Layout(root / ".runcast")
        self.options = backend.Options.model_validate(dict(options))
        self.records = self._write(story)
        self.started = next(r for r in self.records if isinstance(r, RunStarted))
        self.folder = self.layout.delivery(self.id, backend.name) / "state"
        make_private(self.folder)
        self.state: dict[str, Any] = {}
        self.ref: Ref | None = None
        self.changes: list[Change] = []
        self.rejected: list[tuple[Record, Exception]] = []
        self.live: Backend | None = None
        self._context = self.context()
        self._dead: list[Backend] = []

    def _write(self, story: Story) -> list[Record]:
        blobs = Blobs(self.layout.blobs)
        for content in story.files.values():
            blobs.put_bytes(content)
        folder = self.layout.journal(self.id)
        writers: dict[str, JournalWriter] = {}
        for process, record in story.said:
            if process not in writers:
                generation = 1 if process == "later" else 0
                writers[process] = JournalWriter(
                    folder, self.id, generation=generation, courier=process == "courier"
                )
            if isinstance(record, RunStarted):
                parent = self.parent and "the-parent"
                record = msgspec.structs.replace(
                    record, run=self.id, base=str(self.root), parent=record.parent or parent
                )
            elif isinstance(record, RunFinished) and record.of:
                record = msgspec.structs.replace(record, of=writers[record.of].writer)
            writers[process].append(codec.encode(record))
        for writer in writers.values():
            writer.close()
        return list(read_run(self.layout.run(self.id)))

    def context(self) -> OpenRun:
        """What a backend is told when it opens the run now."""
        state = codec.from_json(codec.to_json(self.state), dict[str, Any])
        return OpenRun(self.id, self.started, self.folder, self.layout.blobs.absolute(), state, self.parent)

    def open(self) -> Ref:
        """A new instance, from the state as last saved."""
        self.crash()
        self._context = self.context()
        backend = self.kind(self.options)
        try:
            self.ref = backend.open(self._context)
        except Exception:
            self._dead.append(backend)
            raise
        assert type(self.ref) is Ref, f"open() must return a Ref, not {type(self.ref).__name__}"
        self.live = backend
        self.acknowledge()
        return self.ref

    def deliver(self, batch: Sequence[Record], *, acknowledge: bool = True) -> None:
        """One call of ``deliver``; opens where nothing is open.

        Args:
            batch: the records.
            acknowledge: whether the courier lives long enough to write down that they have arrived.

        Raises:
            DeliveryError: what the backend raised; after Retry and Halt the instance is gone.
        """
        if self.live is None:
            self.open()
        assert self.live is not None
        before = [codec.encode(record) for record in batch]
        try:
            receipt = self.live.deliver(batch)
        except (Retry, Halt, OSError, MemoryError):
            self.crash()
            raise
        assert isinstance(receipt, Receipt), f"deliver() must return a Receipt, not {type(receipt).__name__}"
        assert before == [codec.encode(r) for r in batch], "deliver() changed a record; others get the same"
        self.changes += receipt.changes
        if acknowledge:
            self.acknowledge()

    def carry(self, batch: Sequence[Record], *, acknowledge: bool = True) -> None:
        """Deliver what can be; halve what is refused, down to single names, and put the rest aside."""
        try:
            self.deliver(batch, acknowledge=False)
        except (Retry, Halt, OSError, MemoryError):
            raise
        except Exception as error:
            parts: list[Any] = list(batch) if len(batch) > 1 else split(batch[0])
            if len(parts) == 1:
                self.rejected.append((batch[0], error))
            else:
                self.carry(parts[: len(parts) // 2], acknowledge=False)
                self.carry(parts[len(parts) // 2 :], acknowledge=False)
        if acknowledge:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Save the state as it is now, in one step with the cursor."""
        saved = codec.from_json(codec.to_json(self._context.state), dict[str, Any])
        assert saved == self._context.state, (
            f"run.state does not survive JSON: {self._context.state!r} comes back as {saved!r}"
        )
        self.state = saved

    def crash(self) -> None:
        """The process dies: the instance is gone, unclosed; what it had buffered is never written."""
        if self.live is not None:
            self._dead.append(self.live)  # alive in memory: its files must not be flushed by the collector
            self.live = None

    def lose_state(self) -> None:
        """The cursor is lost or damaged: everything will be sent again, from the start."""
        self.crash()
        self.state, self.ref = {}, None

    def close(self) -> None:
        """An orderly end of the instance."""
        backend, self.live = self.live, None
        if backend is not None:
            backend.close()

    def play(self, size: int = 1000, records: Sequence[Record] | None = None) -> Courier:
        """Open, deliver everything in batches of `size`, close."""
        self.open()
        todo = self.records if records is None else records
        for start in range(0, len(todo), size):
            self.deliver(todo[start : start + size])
        self.close()
        return self

    def expected(self, records: Iterable[Record] | None = None) -> ReadBack:
        """What a tracker without limits would hold."""
        parent = self.parent.id if self.parent else ""
        return Model(self.layout.blobs, parent).take(self.records if records is None else records).read_back()

    def bury(self) -> None:
        """Let go of what dead instances held; nothing is looked at afterwards."""
        self.crash()
        for backend in self._dead:
            with contextlib.suppress(Exception):
                backend.close()
        self._dead.clear()

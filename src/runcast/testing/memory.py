"""A tracker in memory: holds everything exactly, and so says what the others should hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from runcast.errors import Reject
from runcast.plugins import Backend, Capabilities, OpenRun, Options, Receipt, Ref, native
from runcast.records import Artifact, Record
from runcast.testing.readback import Model, ReadBack

if TYPE_CHECKING:
    from runcast.run import Run


class MemoryOptions(Options):
    """Options of the memory backend."""

    store: str = Field("default", description="which of the stores of this process")


class MemoryBackend(Backend):
    """Keeps runs in this process; only for ``delivery="thread"``, and for classes given to ``start``.

    A record counts once by its identity, so no state is needed.
    """

    name: ClassVar[str] = "memory"
    Options: ClassVar[type[Options]] = MemoryOptions
    capabilities: ClassVar[Capabilities] = Capabilities(**dict.fromkeys(Capabilities.model_fields, native()))
    stores: ClassVar[dict[str, dict[str, Model]]] = {}
    """Store → run's id → what is held."""

    def open(self, run: OpenRun) -> Ref:
        """Find the run, or make it."""
        self._run = run
        store = self.stores.setdefault(self.options.store, {})
        self._model = store.setdefault(run.id, Model(run.blobs))
        self._model.parent = run.parent.id if run.parent else ""
        return Ref(id=run.id, url=f"memory of this process, store {self.options.store}")

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Take what is new.

        Raises:
            Reject: the content of an artifact's file is not there, or its path leads out of the artifact.
        """
        for record in batch:
            if isinstance(record, Artifact):
                self._check(record)
        self._model.take(batch)
        return Receipt()

    def _check(self, record: Artifact) -> None:
        for file in record.files:
            if file.uri:
                continue
            inside = {"", ".", ".."}.isdisjoint(file.path.split("/")) and "\0" not in file.path
            if not inside or not file.sha256.isalnum() or not self._run.blob(file).is_file():
                raise Reject(f"memory: artifact {record.name!r}: {file.path!r} cannot be kept: log it again")

    @classmethod
    def read_back(cls, run: str, store: str = "default") -> ReadBack:
        """What a store holds of a run.

        Raises:
            KeyError: nothing of it has been delivered there.
        """
        return cls.stores[store][run].read_back()

    @classmethod
    def clear(cls, store: str | None = None) -> None:
        """Forget one store, or all."""
        for name in [store] if store is not None else list(cls.stores):
            cls.stores.pop(name, None)


def recorded(run: Run, timeout: float = 10.0) -> ReadBack:
    """What a run that logs to `MemoryBackend` has said so far.

    Args:
        run: the run.
        timeout: seconds to wait for what is on its way.

    Raises:
        TimeoutError: it did not arrive in time.
    """
    if not run.flush(timeout):
        raise TimeoutError(f"run {run.id} was not delivered to memory within {timeout} s: {run.report()}")
    return MemoryBackend.read_back(run.id)

"""Trackers that do nothing, fail always, or fail by chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from runcast.errors import Halt, Reject, Retry
from runcast.plugins import Backend, Capabilities, Change, OpenRun, Options, Receipt, Ref, never
from runcast.records import Media, Metrics, Params, Record, Tags, kind
from runcast.testing.memory import MemoryBackend, MemoryOptions

_NOTHING = Capabilities(**dict.fromkeys(Capabilities.model_fields, never("it keeps nothing")))


class NullBackend(Backend):
    """Takes everything and keeps nothing, and says so: the cheapest that a backend can be."""

    name: ClassVar[str] = "null"
    capabilities: ClassVar[Capabilities] = _NOTHING

    def open(self, run: OpenRun) -> Ref:
        """There is nothing to open."""
        return Ref(id=run.id)

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Report each name as skipped."""
        keys = dict.fromkeys(key for record in batch for key in _keys(record))
        return Receipt([Change("skipped", key, "the null backend keeps nothing") for key in keys])


def _keys(record: Record) -> list[str]:
    if isinstance(record, (Metrics, Params, Tags)):
        return list(record.values)
    if isinstance(record, Media):
        return [record.key]
    named = getattr(record, "name", None) if kind(record) == "artifact" else None
    return [named] if named else ["note"] if kind(record) == "note" else []


class FailingOptions(Options):
    """Options of the failing backend."""

    error: Literal["retry", "reject", "halt", "bug"] = Field("retry", description="what is raised")
    at: Literal["open", "deliver"] = Field("deliver", description="by which call")
    after: float | None = Field(None, description="seconds that Retry asks to wait")


class FailingBackend(Backend):
    """Never takes anything."""

    name: ClassVar[str] = "failing"
    Options: ClassVar[type[Options]] = FailingOptions
    capabilities: ClassVar[Capabilities] = _NOTHING

    def open(self, run: OpenRun) -> Ref:
        """Raise, where the options say so."""
        self._fail("open")
        return Ref(id=run.id)

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Raise, where the options say so."""
        self._fail("deliver")
        return Receipt([Change("skipped", key, "not kept") for record in batch for key in _keys(record)])

    def _fail(self, at: str) -> None:
        if at != self.options.at:
            return
        if self.options.error == "retry":
            raise Retry("the failing backend is down, as always", after=self.options.after)
        if self.options.error == "reject":
            raise Reject("the failing backend takes nothing: use another")
        if self.options.error == "halt":
            raise Halt("the failing backend lets nobody in: use another")
        raise ZeroDivisionError("a bug of the failing backend")


class ChaosOptions(MemoryOptions):
    """Options of the chaos backend; each probability is per call, that of `reject` per record."""

    seed: int = Field(0, description="the same seed gives the same faults")
    retry: float = Field(0.2, ge=0, le=1, description="probability of Retry, before, amid or after the work")
    reject: float = Field(0.0, ge=0, le=1, description="share of records that are refused, always the same")
    halt: float = Field(0.0, ge=0, le=1, description="probability of Halt")
    slow: float = Field(0.0, ge=0, le=1, description="probability that a call takes `seconds`")
    seconds: float = Field(0.05, ge=0, description="how long a slow call takes")


class ChaosBackend(MemoryBackend):
    """The memory backend on a bad day: what gets through is held as `MemoryBackend` holds it."""

    name: ClassVar[str] = "chaos"
    Options: ClassVar[type[Options]] = ChaosOptions
    sleep: ClassVar[Callable[[float], None]] = staticmethod(time.sleep)
    """Replace it in tests that must not wait."""
    _dice: ClassVar[dict[tuple[str, int, str], random.Random]] = {}

    def open(self, run: OpenRun) -> Ref:
        """As the memory backend, by luck."""
        options = self.options
        # Kept beyond the instance: a new one after a Retry must not draw the same fault for ever.
        self._random = self._dice.setdefault(
            (options.store, options.seed, run.id),
            random.Random(f"{options.seed}"),  # noqa: S311  # no secret
        )
        self._misfortune()
        return super().open(run)

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """As the memory backend, by luck; a Retry may come when the work is half or wholly done."""
        poison = [record for record in batch if self.is_poison(record)]
        if poison:
            raise Reject(f"chaos refuses {kind(poison[0])} {poison[0].seq}: it always will")
        self._misfortune()
        if self._random.random() < self.options.retry:
            super().deliver(batch[: self._random.randint(0, len(batch))])
            raise Retry("chaos: the connection broke")
        return super().deliver(batch)

    def is_poison(self, record: Record) -> bool:
        """Whether this record is one of those that are always refused; the first never is."""
        # By the number alone: ids of writers are random, and the same seed must refuse the same records.
        lot = random.Random(f"{self.options.seed}/{record.seq}").random()  # noqa: S311  # no secret
        return record.seq > 1 and lot < self.options.reject

    def _misfortune(self) -> None:
        if self._random.random() < self.options.slow:
            type(self).sleep(self.options.seconds)
        if self._random.random() < self.options.halt:
            raise Halt("chaos: the key was revoked; try again")

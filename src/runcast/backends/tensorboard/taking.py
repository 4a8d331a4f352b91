"""Which record goes where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runcast.backends.tensorboard import points, statements, things
from runcast.backends.tensorboard.draft import Draft, spelled
from runcast.errors import Reject
from runcast.plugins import Change
from runcast.records import (
    Artifact,
    Define,
    Environment,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
    Trace,
    kind,
)

HANDLERS: dict[type, Callable[[Draft, Any], None]] = {
    Metrics: points.metrics,
    System: points.system,
    Define: points.define,
    Media: things.media,
    Artifact: things.artifact,
    Model: things.model,
    Input: things.used,
    Params: statements.params,
    Tags: statements.labels,
    Note: statements.note,
    Environment: statements.environment,
    Trace: statements.trace,
    RunStarted: statements.started,
    RunFinished: statements.finished,
    Lost: statements.lost,
}


def take(draft: Draft, batch: Sequence[Record]) -> None:
    """Hand records to a draft, in order.

    Raises:
        Reject: one of them can never be written.
    """
    for record in batch:
        try:
            HANDLERS.get(type(record), _unknown)(draft, record)
        except OverflowError as error:
            mend = "log it with a step and a time between -2**63 and 2**63 - 1"
            raise Reject(f"tensorboard: {_named(record)}: {error}; {mend}") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise Reject(f"tensorboard: {_named(record)} is not JSON-like: {error}") from None


def _unknown(draft: Draft, record: Record) -> None:
    reason = f"a record of kind {kind(record)} has no place in TensorBoard"
    draft.changes.append(Change("skipped", "", reason))


def _named(record: Record) -> str:
    """What to call a record that is refused."""
    name = getattr(record, "key", None) or getattr(record, "name", None)
    key = name or next(iter(getattr(record, "values", ())), "")
    step = getattr(record, "step", None)
    return f"{kind(record)} {key!r}" + ("" if step is None else f" at step {spelled(step)}")

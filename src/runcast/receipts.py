"""What a tracker answers: where a run is, and what it got in another form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec


class Ref(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a run is in a tracker.

    Attributes:
        id: the tracker's own id of the run.
        url: where to look: a URL, or a path on this machine; never with credentials.
        command: a shell command that opens the tracker's own UI on it.
    """

    id: str
    url: str = ""
    command: str = ""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that the tracker got in another form than it was said.

    Attributes:
        what: ``renamed``; ``degraded`` (a lesser form); ``spilled`` (moved to a file); ``skipped``.
        key: the name as the script said it.
        detail: the new name, or what was lost and why.
    """

    what: Literal["renamed", "degraded", "spilled", "skipped"]
    key: str
    detail: str


class Made(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A part of a run that has an id of its own in the tracker.

    Attributes:
        what: its kind.
        key: the name as the script said it; of a trace that of its outermost span.
        id: the tracker's own.
        source: the id that it had in the tracker that it was brought from; "" where it began here.
        url: as of a `Ref`.
    """

    what: Literal["artifact", "model", "trace"]
    key: str
    id: str
    source: str = ""
    url: str = ""


def former_id(origin: dict[str, Any]) -> str:
    """The id that a thing had in the tracker that it was brought from, by a record's `origin`; else ""."""
    return str(origin.get("id") or "")


class Receipt(msgspec.Struct, frozen=True):
    """A backend's answer to a batch that it took; `changes` and `made` may repeat earlier ones."""

    changes: Sequence[Change] = ()
    made: Sequence[Made] = ()

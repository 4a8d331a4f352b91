"""What a tracker answers: where a run is, and what it got in another form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

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


class Receipt(msgspec.Struct, frozen=True):
    """A backend's answer to a batch that it took; `changes` may repeat earlier ones."""

    changes: Sequence[Change] = ()

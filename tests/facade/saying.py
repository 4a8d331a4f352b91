"""What a run said, read back from its journal."""

from __future__ import annotations

from typing import Any

import runcast
from runcast.journal import Layout, read_run
from runcast.records import (
    Record,
)

LATER: dict[str, Any] = {"delivery": "later"}


def said(run: runcast.Run) -> list[Record]:
    """Every record of a run."""
    return list(read_run(Layout(".runcast").run(run.id)))


def of(run: runcast.Run, kind: type[Any]) -> list[Any]:
    """The records of one kind."""
    return [record for record in said(run) if isinstance(record, kind)]

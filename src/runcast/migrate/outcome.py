"""What became of one run, as its entry in the manifest says it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runcast.catalog.texts import counted
from runcast.errors import JournalError
from runcast.journal import Layout
from runcast.migrate import carry
from runcast.migrate.manifest import RunEntry
from runcast.migrate.stage import Staged
from runcast.plugins.source import FoundRun

if TYPE_CHECKING:
    from runcast.migrate.engine import Progress

_NAMED = 5
"""Things of a kind that are told by name."""


def is_unchanged(entry: RunEntry | None, run: FoundRun) -> bool:
    """Whether the destination has all that the source had when it was last read, and has now."""
    if entry is None or entry.state != "delivered":
        return False
    return bool(run.version) and entry.version == run.version


def mark_conflict(entry: RunEntry, version: str | None, policy: str) -> bool:
    """Whether a run must be left alone, because it is not as it was left; its entry says so.

    Args:
        entry: the run's; its `there` is how it was left.
        version: how it is now, None where it is gone.
        policy: ``add``: an edit is no reason.
    """
    if version is None:
        where = entry.ref.id if entry.ref else entry.run
        reason = f"{where} is gone from the destination; --again brings the run anew"
    elif version != entry.there and policy != "add":
        reason = (
            "it was edited in the destination since it was brought, and the source has more: left alone; "
            "--on-conflict add adds what is new, --again brings the run anew"
        )
    else:
        return False
    entry.state, entry.reason, entry.time = "conflict", reason, time.time_ns()
    return True


def note_staged(entry: RunEntry, run: FoundRun, staged: Staged | str, progress: Progress) -> None:
    """What reading a run came to: `staged`, or why it failed."""
    if isinstance(staged, str):
        entry.state, entry.reason = "failed", staged
        progress.failed += 1
        return
    reasons = [run.problem] if run.problem else []
    reasons += staged.lost[:_NAMED]
    if staged.losses > _NAMED:
        reasons.append(f"and {staged.losses - _NAMED} more that could not be read")
    if staged.gone:
        names = ", ".join(f"{name} ({count})" for name, count in list(staged.gone.items())[:_NAMED])
        reasons.append(f"points that are gone from the source stay in the destination: {names}")
    if staged.unsaid:
        more = f" and {len(staged.unsaid) - _NAMED} more" if len(staged.unsaid) > _NAMED else ""
        names = ", ".join(staged.unsaid[:_NAMED])
        reasons.append(f"gone from the source, and left in the destination: {names}{more}")
    entry.state, entry.reason, entry.version = "staged", "; ".join(reasons), run.version
    entry.records += staged.added
    entry.points += staged.points
    progress.staged += 1
    progress.records += staged.added
    progress.points += staged.points


def note_delivered(entry: RunEntry, layout: Layout, backend: str, progress: Progress) -> None:
    """What the destination acknowledged of a run that was staged."""
    cursor, error = carry.outcome(layout, entry.run, backend)
    entry.ref, entry.time, entry.rejected = cursor.ref, time.time_ns(), cursor.rejected
    try:
        whole = carry.is_whole(layout, entry.run, cursor)
    except (JournalError, OSError) as problem:
        whole, error = False, str(problem)
    if not whole and not error:
        entry.reason = "not all of it is delivered: the same command goes on"
        return
    if not whole:
        entry.state, entry.reason = "failed", error
        progress.failed += 1
        return
    entry.state = "delivered"
    entry.changes = len(carry.changes(layout, entry.run, backend))
    if cursor.rejected:
        why = carry.refused(layout, entry.run, backend)
        told = f"the destination refused {counted(cursor.rejected, 'record')}: {why}"
        entry.reason = f"{entry.reason}; {told}" if entry.reason else told
    progress.delivered += 1

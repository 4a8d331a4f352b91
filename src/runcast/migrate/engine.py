"""A migration from end to end: find, stage, carry, and say what became of each run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Literal

import msgspec

from runcast.config import load
from runcast.errors import UsageError
from runcast.migrate import address, outcome, registered
from runcast.migrate.carry import Carriers
from runcast.migrate.manifest import Folder, Manifest, RunEntry
from runcast.migrate.readers import Readers
from runcast.migrate.stage import Staged
from runcast.migrate.target import reading
from runcast.migrate.threads import REMOTE
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.redact import redact_tree

Tell = Callable[["Progress"], None]
OnConflict = Literal["leave", "add"]
SAVE = 2.0
"""Seconds between two writings of the manifest: it grows with the number of runs."""
HELD = 60.0
"""Seconds to wait for runs that another process holds."""
LOOK = 2.0
"""Seconds between two looks for what keeps the destination."""


class Progress(msgspec.Struct):
    """How far a migration is, for whoever draws a bar.

    Attributes:
        runs: found; unchanged ones included.
        models: registered models that are in the destination as a whole.
        unchanged, staged, delivered, failed, conflicts: how many of those.
        records, points: of the runs that are staged, those that were new.
        read: records read so far, also of runs that are not done with, and those that were known.
        trouble: what keeps the destination just now; "" where nothing does.
        notes: what to know that is about no single run.
    """

    runs: int = 0
    models: int = 0
    unchanged: int = 0
    staged: int = 0
    delivered: int = 0
    failed: int = 0
    conflicts: int = 0
    records: int = 0
    points: int = 0
    read: int = 0
    trouble: str = ""
    notes: list[str] = []


class Plan(msgspec.Struct):
    """What a migration is about: the source, the destination, and the folder between them.

    `where` and `goes` are the two addresses, their paths absolute; credentials in them are kept.
    """

    source: Source
    destination: address.Destination
    folder: Folder
    manifest: Manifest
    where: str
    goes: str


def prepare(source: str, destination: str, root: Path | None = None) -> Plan:
    """Look at both addresses; nothing is read or written yet.

    Args:
        source, destination: addresses.
        root: the runcast directory; the configured one where left out.

    Raises:
        UsageError: an address is wrong, a package is missing, or both are the same place.
    """
    config = load({})
    root = root or config.base / config.settings.dir
    source, destination = address.anchored(source), address.anchored(destination)
    came, goes = address.source(source), address.destination(destination)
    scheme, rest = address.split(destination)
    target = None
    if scheme == "local":
        target = Path(rest).expanduser().absolute() if rest else root
    if target is not None and target.exists() and not target.is_dir():
        raise UsageError(
            f"{destination}: {target} is a file: name a folder; `runcast export` makes an archive"
        )
    if came.name == goes.name:
        _refuse_same(came, target, rest)
    id_ = address.migration_id(came.identity, came.name, goes)
    if target is not None and rest:  # every folder has the same options: none
        id_ = address.migration_id(f"{came.identity}\0{target.resolve()}", came.name, goes)
    folder = Folder(root, id_, target)
    manifest = folder.load() or Manifest(
        id=id_,
        source=f"{came.name}:{came.identity}",
        destination=goes.address,
        backend=goes.name,
        options=redact_tree(dict(goes.options))[0],
        target=str(target) if target is not None else "",
        created=time.time_ns(),
    )
    return Plan(came, goes, folder, manifest, source, destination)


def _refuse_same(came: Source, target: Path | None, rest: str) -> None:
    """A migration into its own source, or below it, would find its own runs again at every call."""
    identity = str(target.resolve()) if target is not None else ""
    if target is None:
        with contextlib.suppress(Exception):  # the other side has no source, or it needs more than an address
            identity = type(came)(rest).identity
    if identity == came.identity:
        raise UsageError(f"source and destination are the same place: {came.identity}")
    if identity.startswith(f"{came.identity}{os.sep}"):
        raise UsageError(
            f"the destination {identity} is inside the source {came.identity}: name another folder"
        )


def migrate(
    plan: Plan,
    selection: Selection | None = None,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    on_conflict: OnConflict = "leave",
    patience: float = 600.0,
    tell: Tell = lambda progress: None,
) -> Progress:
    """Bring the selected runs, and go on where an earlier call ended.

    Args:
        plan: from `prepare`; its manifest tells afterwards what became of each run.
        selection: which runs; all where left out.
        jobs: how many runs are read at once: by threads from a server, else by processes. These are started
            afresh, so a script that asks for more than one needs ``if __name__ == "__main__":``, as for
            `multiprocessing`.
        executor: reads elsewhere, in place of processes of this machine.
        on_conflict: what becomes of new records of a run that was edited in the destination since it was
            brought: ``leave`` the run alone and report it, or ``add`` them.
        patience: seconds without any progress after which a destination that is in trouble is given up.
        tell: called about twice a second.

    Raises:
        JournalError: another process works on this migration, or the disk refuses.
    """
    with plan.folder.claimed(), contextlib.closing(plan.source):
        plan.manifest = plan.folder.load() or plan.manifest
        return _Migration(plan, on_conflict, patience, tell).run(selection or Selection(), jobs, executor)


class _Migration:
    """One call of `migrate`."""

    def __init__(self, plan: Plan, on_conflict: OnConflict, patience: float, tell: Tell) -> None:
        self._plan, self._manifest = plan, plan.manifest
        self._layout = plan.folder.layout
        self._on_conflict, self._patience, self._told = on_conflict, patience, tell
        self.progress = Progress()
        self._saved = self._looked = self._moved = time.monotonic()
        self._done = 0

    def run(self, selection: Selection, jobs: int, executor: Executor | None) -> Progress:
        found = chosen(self._plan.source, selection)
        self.progress.runs = len(found)
        due = [run for run in found if not outcome.is_unchanged(self._manifest.runs.get(run.id), run)]
        self.progress.unchanged = len(found) - len(due)
        due = self._without_conflicts(due)
        if due:
            self._bring(due, jobs, executor)
        registered.bring(
            self._plan,
            selection,
            self.progress,
            on_conflict=self._on_conflict,
            patience=self._patience,
            tell=lambda: self._told(self.progress),
        )
        entries = self._manifest.runs.values()
        self._note_versions([e for e in entries if e.state == "delivered" and not e.there])
        self._plan.folder.save(self._manifest)
        self._told(self.progress)
        return self.progress

    def _without_conflicts(self, due: list[FoundRun]) -> list[FoundRun]:
        """Those that may be added to; the others are marked. What is added to has no known version."""
        entries = {run.id: entry for run in due if (entry := self._manifest.runs.get(run.id)) is not None}
        known = {entry.ref.id: entry for entry in entries.values() if entry.ref is not None and entry.there}
        left_alone: set[str] = set()
        if known:
            with reading(self._manifest, self._plan.goes) as target:
                versions = target.versions(known)
                if versions is None:
                    why = "whether it was edited since cannot be told, so new records are added"
                    self.progress.notes.append(
                        f"the destination cannot be read back: {why}: {target.problem}"
                    )
            for id_, entry in known.items() if versions is not None else ():
                if outcome.mark_conflict(entry, (versions or {}).get(id_), self._on_conflict):
                    left_alone.add(entry.source)
        self.progress.conflicts = len(left_alone)
        free = [run for run in due if run.id not in left_alone]
        for run in free:
            if run.id in entries:
                entries[run.id].there = ""
                entries[run.id].state = "staged"
        if known:  # before anything is delivered: a crash must not make our own doing look like an edit
            self._plan.folder.save(self._manifest)
        return free

    def _bring(self, due: list[FoundRun], jobs: int, executor: Executor | None) -> None:
        destination = self._plan.destination
        kind = destination.backend
        count = min(len(due), kind.writers(kind.Options(**destination.options)))
        expected = map(self._id, due)
        carriers = Carriers(self._layout, destination.name, destination.options, count, expected)
        jobs = min(jobs, len(due))
        remote = self._plan.source.is_remote
        readers = Readers(self._layout.root, self._plan.where, jobs, executor, remote=remote)

        def meanwhile() -> None:
            self.progress.read = readers.records
            self._turn(carriers)

        try:
            for run, staged in readers.stage(due, meanwhile):
                entry = self._entry(run)
                outcome.note_staged(entry, run, staged, self.progress)
                if entry.state == "staged":
                    parent = self._manifest.runs.get(run.parent or "")
                    uses = staged.uses if isinstance(staged, Staged) else ()
                    carriers.add(entry.run, parent.run if parent else None, uses)
                else:
                    carriers.skip(entry.run)
                if time.monotonic() - self._saved > SAVE:
                    self._saved = time.monotonic()
                    self._plan.folder.save(self._manifest)
            readers.close()
            self._carry(carriers, meanwhile)
        finally:
            readers.close()
            carriers.stop()
            self._conclude(due)
            self._plan.folder.save(self._manifest)

    def _carry(self, carriers: Carriers, meanwhile: Callable[[], None]) -> None:
        """Until everything is there, or nothing comes further."""
        deadline = time.monotonic() + HELD
        while True:
            while carriers.left and not self._is_hopeless(carriers):
                meanwhile()
            if carriers.left or time.monotonic() > deadline or not carriers.resume():
                return
            meanwhile()
            time.sleep(0.5)

    def _turn(self, carriers: Carriers) -> None:
        carriers.turn()
        progress, now = self.progress, time.monotonic()
        progress.delivered = max(0, progress.staged - carriers.left)
        if carriers.done != self._done:
            self._done, self._moved, progress.trouble = carriers.done, now, ""
        elif now - self._looked > LOOK:
            self._looked = now
            progress.trouble = carriers.trouble()
        self._told(progress)

    def _is_hopeless(self, carriers: Carriers) -> bool:
        return bool(self.progress.trouble) and time.monotonic() - self._moved > self._patience

    def _entry(self, run: FoundRun) -> RunEntry:
        if run.id not in self._manifest.runs:
            self._manifest.runs[run.id] = RunEntry(source=run.id, run=self._id(run))
        entry = self._manifest.runs[run.id]
        entry.experiment, entry.name, entry.time = run.experiment, run.name, time.time_ns()
        return entry

    def _id(self, run: FoundRun) -> str:
        return address.run_id(self._plan.source.name, self._plan.source.identity, run.id)

    def _conclude(self, due: list[FoundRun]) -> None:
        """What the destination acknowledged, run by run."""
        self.progress.delivered = 0
        entries = [entry for run in due if (entry := self._manifest.runs.get(run.id)) is not None]
        for entry in entries:
            if entry.state == "staged":
                outcome.note_delivered(entry, self._layout, self._plan.destination.name, self.progress)
        self._note_versions([entry for entry in entries if entry.state == "delivered"])

    def _note_versions(self, entries: list[RunEntry]) -> None:
        """How the destination was left."""
        brought = {e.ref.id: e for e in entries if e.ref is not None}
        if not brought:
            return
        with reading(self._manifest, self._plan.goes) as target:
            for id_, version in (target.versions(brought) or {}).items():
                brought[id_].there = version


def chosen(source: Source, selection: Selection) -> list[FoundRun]:
    """The selected runs, parents first.

    Raises:
        UsageError: an experiment or ids are asked for, and there are none; the message says what there is.
    """
    found = list(parents_first(source.runs(selection)))
    named = Selection(experiment=selection.experiment, runs=selection.runs)
    if not found and named != Selection() and next(source.runs(named), None) is None:
        there = list(source.runs(Selection()))
        names = ", ".join(list(dict.fromkeys(repr(run.experiment) for run in there))[:10])
        raise UsageError(
            f"{source.name}:{source.identity} has no run that was asked for; it has {len(there)} runs"
            + (f" in the experiments {names}" if names else "")
        )
    return found


def parents_first(runs: Iterator[FoundRun]) -> Iterator[FoundRun]:
    """Every run behind its parent, else in the order in which they came."""
    found = {run.id: run for run in runs}
    given: set[str] = set()

    def give(run: FoundRun, above: frozenset[str]) -> Iterator[FoundRun]:
        if run.id in given or run.id in above:  # a circle, in a damaged store
            return
        if run.parent in found:
            yield from give(found[run.parent], above | {run.id})
        if run.id not in given:
            given.add(run.id)
            yield run

    for run in found.values():
        yield from give(run, frozenset())


def at_once(source: Source) -> int:
    """How many runs to read at once: one for each core, or some more where a server is waited for."""
    return REMOTE if source.is_remote else _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

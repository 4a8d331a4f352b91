"""A migration from end to end: find, stage, carry, and say what became of each run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import msgspec

from runcast.config import load
from runcast.errors import UsageError
from runcast.migrate import address, work
from runcast.migrate.carry import Carriers
from runcast.migrate.manifest import Folder, Manifest, RunEntry
from runcast.migrate.stage import Staged
from runcast.plugins.source import FoundRun, Selection, Source

Tell = Callable[["Progress"], None]


class Progress(msgspec.Struct):
    """How far a migration is, for whoever draws a bar.

    Attributes:
        runs: found; unchanged ones included.
        unchanged, staged, delivered, failed: how many of those.
        records, points: read so far that were new.
    """

    runs: int = 0
    unchanged: int = 0
    staged: int = 0
    delivered: int = 0
    failed: int = 0
    records: int = 0
    points: int = 0


class Plan(msgspec.Struct):
    """What a migration is about: the source, the destination, and the folder between them.

    `where` and `goes` are the two addresses, as they were given.
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
    came, goes = address.source(source), address.destination(destination)
    scheme, rest = address.split(destination)
    target = None
    if scheme == "local":
        target = Path(rest).expanduser().absolute() if rest else root
    if came.name == goes.name and _same_place(came, goes, target, rest):
        raise UsageError(f"source and destination are the same place: {came.identity}")
    id_ = address.migration_id(came.identity, came.name, goes)
    folder = Folder(root, id_, target)
    known = folder.load()
    shown = f"{came.name}:{came.identity}"
    manifest = known or Manifest(id=id_, source=shown, destination=goes.address, created=time.time_ns())
    return Plan(came, goes, folder, manifest, source, destination)


def _same_place(came: Source, goes: address.Destination, target: Path | None, rest: str) -> bool:
    if target is not None:
        return Path(came.identity) == target.resolve()
    with contextlib.suppress(Exception):  # the other side has no source, or it needs more than an address
        return type(came)(rest).identity == came.identity
    return False


def migrate(
    plan: Plan,
    selection: Selection | None = None,
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    tell: Tell = lambda progress: None,
) -> Progress:
    """Bring the selected runs, and go on where an earlier call ended.

    Args:
        plan: from `prepare`; its manifest tells afterwards what became of each run.
        selection: which runs; all where left out.
        jobs: processes that read; as many as there are cores where left out.
        executor: reads elsewhere, in place of processes of this machine.
        tell: called about twice a second.
    """
    progress = Progress()
    manifest, layout = plan.manifest, plan.folder.layout
    found = list(_parents_first(plan.source.runs(selection or Selection())))
    progress.runs = len(found)
    due = [run for run in found if not _unchanged(manifest.runs.get(run.id), run)]
    progress.unchanged = len(found) - len(due)
    if not due:
        return progress
    options = plan.destination.options
    kind = plan.destination.backend
    carriers = Carriers(layout, plan.destination.name, options, kind.writers(kind.Options(**options)))
    jobs = jobs or os.cpu_count() or 1
    own = executor is None and jobs > 1 and len(due) > 1
    pool = work.pool(min(jobs, len(due))) if own else executor
    try:
        for run, staged in _stage(plan, due, pool, lambda: _turn(carriers, progress, tell)):
            entry = _entry(manifest, run, plan)
            if isinstance(staged, str):
                entry.state, entry.reason = "failed", staged
                progress.failed += 1
            else:
                _note(entry, run, staged, progress)
                parent = manifest.runs.get(run.parent or "")
                carriers.add(entry.run, parent.run if parent else None)
            plan.folder.save(manifest)
        while carriers.turn():
            tell(progress)
    finally:
        carriers.stop()
        if own and pool is not None:
            pool.shutdown(cancel_futures=True)
        work.forget()
        _conclude(plan, due, carriers, progress)
        plan.folder.save(manifest)
        tell(progress)
    return progress


def _turn(carriers: Carriers, progress: Progress, tell: Tell) -> None:
    carriers.turn()
    tell(progress)


def _stage(
    plan: Plan, due: list[FoundRun], pool: Executor | None, meanwhile: Callable[[], None]
) -> Iterator[tuple[FoundRun, Staged | str]]:
    """Each run with what staging it came to, in order, so that parents come before their children."""
    root = str(plan.folder.layout.root)
    futures: list[Future[Staged]] = []
    if pool is not None:
        futures = [pool.submit(work.stage_run, root, plan.where, run) for run in due]
    for number, run in enumerate(due):
        try:
            if pool is None:
                meanwhile()
                yield run, work.stage_run(root, plan.where, run)
                continue
            while not futures[number].done():
                meanwhile()
                with contextlib.suppress(TimeoutError):
                    futures[number].exception(timeout=0.1)
            yield run, futures[number].result()
        except work.Failed as failure:
            yield run, str(failure)


def _unchanged(entry: RunEntry | None, run: FoundRun) -> bool:
    return (
        entry is not None
        and entry.state == "delivered"
        and bool(run.version)
        and entry.version == run.version
    )


def _entry(manifest: Manifest, run: FoundRun, plan: Plan) -> RunEntry:
    if run.id not in manifest.runs:
        id_ = address.run_id(plan.source.name, plan.source.identity, run.id)
        manifest.runs[run.id] = RunEntry(source=run.id, run=id_)
    entry = manifest.runs[run.id]
    entry.experiment, entry.name, entry.time = run.experiment, run.name, time.time_ns()
    return entry


def _note(entry: RunEntry, run: FoundRun, staged: Staged, progress: Progress) -> None:
    reasons = [run.problem] if run.problem else []
    reasons += staged.lost[:5]
    if staged.gone:
        names = ", ".join(f"{name} ({count})" for name, count in list(staged.gone.items())[:5])
        reasons.append(f"points that are gone from the source stay in the destination: {names}")
    entry.state, entry.reason, entry.version = "staged", "; ".join(reasons), run.version
    entry.records += staged.added
    entry.points += staged.points
    progress.staged += 1
    progress.records += staged.added
    progress.points += staged.points


def _conclude(plan: Plan, due: list[FoundRun], carriers: Carriers, progress: Progress) -> None:
    """What the destination acknowledged, run by run."""
    for run in due:
        entry = plan.manifest.runs.get(run.id)
        if entry is None or entry.state != "staged":
            continue
        cursor, error = carriers.outcome(entry.run)
        entry.ref, entry.time = cursor.ref, time.time_ns()
        if error:
            entry.state, entry.reason = "failed", error
            progress.failed += 1
        else:
            entry.state = "delivered"
            progress.delivered += 1


def _parents_first(runs: Iterator[FoundRun]) -> Iterator[FoundRun]:
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

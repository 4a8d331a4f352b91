"""``runcast migrate``: history from one tracker to another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from runcast.cli import migrating, output
from runcast.cli.migrating import Experiment, From, Html, Json, Runs, Since, Strict, StrictMapped, To
from runcast.errors import UsageError
from runcast.migrate import Plan, Progress, at_once, migrate, prepare

_WRONG = ("failed", "conflict", "staged")


def migrate_command(
    source: From,
    dest: To,
    experiment: Experiment = "*",
    run: Runs = None,
    since: Since = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be lost; write nothing.")
    ] = False,
    strict: Strict = False,
    strict_mapped: StrictMapped = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs read at once: one for each core, 8 of a server.")
    ] = None,
    executor: Annotated[str | None, typer.Option(help="dask://HOST:PORT reads on its workers.")] = None,
    on_conflict: Annotated[str, typer.Option(help="leave or add: a run that was edited there.")] = "leave",
    again: Annotated[
        bool, typer.Option("--again", help="Remove the runs there first, edited or not.")
    ] = False,
    map: Annotated[Path | None, typer.Option(help="Write old and new ids to a .csv or .json.")] = None,
    html: Html = None,
    json: Json = False,
) -> None:
    """Bring runs from one tracker to another, with their original times; a second time, only what is new.

    Exit code 1 where a run failed or was left alone; the others are there all the same.
    """
    if dry_run:
        from runcast.cli.plan import plan_command

        plan_command(source, dest, experiment, run, since, strict, strict_mapped, json)
        return
    with output.errors():
        if on_conflict not in ("leave", "add"):
            raise UsageError(f"--on-conflict {on_conflict!r}: write leave or add")
        plan = prepare(source, dest)
        selected = migrating.selection(experiment, run, since)
        if again:
            _remove(plan, dest, run)
        with migrating.bar(quiet=json) as tell, _engine(executor) as engine:
            progress = migrate(
                plan,
                selected,
                jobs=jobs or at_once(plan.source),
                executor=engine,
                on_conflict=cast(Literal["leave", "add"], on_conflict),
                tell=tell,
            )
        if map is not None:
            from runcast.migrate import ids

            ids.write(plan.manifest, plan.folder.layout, map)
        if html is not None:
            from runcast.cli.verify import report

            report(plan, selected, html, quiet=json)
    entries, models = list(plan.manifest.runs.values()), list(plan.manifest.models.values())
    if json:
        found = {"migration": plan.manifest.id, "progress": progress, "runs": entries, "models": models}
        output.print_json(migrating.plain(found))
    else:
        _tell(plan, progress)
    states = {entry.state for entry in entries} | {model.state for model in models}
    if states & {*_WRONG}:
        raise typer.Exit(output.FAILED)


def _remove(plan: Plan, dest: str, runs: list[str] | None) -> None:
    from runcast.migrate.rollback import rollback

    if plan.folder.load() is None:
        return
    root = plan.folder.path.parent.parent
    for result in rollback(root, plan.manifest.id, destination=dest, runs=tuple(runs or ()), force=True):
        if not result.ok:
            raise UsageError(f"run {result.source} cannot be removed from {dest}: {result.reason}")


@contextlib.contextmanager
def _engine(address: str | None) -> Iterator[Executor | None]:
    if address is None:
        yield None
        return
    from runcast.migrate.readers import connected

    with connected(address) as executor:
        yield executor


def _tell(plan: Plan, progress: Progress) -> None:
    console = output.console()
    entries = plan.manifest.runs.values()
    rows = [
        (e.name, e.source, e.ref.id if e.ref else "", e.state, f"{e.points:,}", str(e.changes), e.reason)
        for e in entries
        if e.state != "delivered" or e.reason
    ]
    if rows:
        columns = ["run", "there", "here", "state", "points", "changed form", "reason"]
        console.print(output.table(columns, rows, right=columns[4:6]))
    models = [
        (m.source, m.name, m.state, ", ".join(f"{a} → {b}" for a, b in m.versions.items()), m.reason)
        for m in plan.manifest.models.values()
    ]
    if models:
        console.print(output.table(["registered model", "here", "state", "versions", "reason"], models))
    for note in progress.notes:
        console.print(output.safe(note))
    done = [
        f"{progress.delivered} runs brought",
        f"{progress.unchanged} unchanged",
        f"{progress.failed} failed",
        *([f"{progress.conflicts} left alone"] if progress.conflicts else []),
    ]
    console.print(f"{', '.join(done)}; {progress.records:,} records, {progress.points:,} points were new")
    changed = sum(entry.changes > 0 for entry in entries)
    if changed:
        console.print(f"{changed} runs have something in another form: --html FILE shows what")
    console.print(
        output.safe(f"migration {plan.manifest.id}: {plan.manifest.source} → {plan.manifest.destination}")
    )

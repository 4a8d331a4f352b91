"""``runcast migrate``: history from one tracker to another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from runcast.catalog.texts import counted
from runcast.cli import migrating, output
from runcast.cli.migrating import Experiment, From, Html, Json, Runs, Since, Strict, StrictMapped, To
from runcast.errors import UsageError
from runcast.migrate import Plan, Progress, at_once, migrate, prepare
from runcast.plugins.source import Selection

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
    patience: Annotated[
        float,
        typer.Option(min=0, help="Seconds without progress before a destination in trouble is given up."),
    ] = 600.0,
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
        _can_be_written(map, html)
        plan = prepare(source, dest)
        selected = migrating.selection(experiment, run, since)
        if strict or strict_mapped:
            _refuse_losses(plan, selected, strict=strict, strict_mapped=strict_mapped, json=json)
        if again:
            _remove(plan, dest, run)
        with migrating.bar(quiet=json) as tell, _engine(executor) as engine:
            progress = migrate(
                plan,
                selected,
                jobs=jobs or at_once(plan.source),
                executor=engine,
                on_conflict=cast(Literal["leave", "add"], on_conflict),
                patience=patience,
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


def _can_be_written(map: Path | None, html: Path | None) -> None:
    """Refuse a name that no file can have now, and not after hours."""
    if map is not None:
        from runcast.migrate import ids

        ids.check_name(map)
    for path in filter(None, (map, html)):
        if not path.absolute().parent.is_dir() or path.is_dir():
            raise UsageError(f"{path} cannot be written: name a file in a folder that is there")


def _refuse_losses(plan: Plan, selected: Selection, *, strict: bool, strict_mapped: bool, json: bool) -> None:
    """Show what would be lost, and end, where the options forbid it."""
    from runcast.cli.plan import foresee, is_refused, show

    results = foresee(plan, selected, quiet=json)
    if is_refused(results, strict=strict, strict_mapped=strict_mapped):
        show(results, plan.destination.name, json=json)
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
        columns = ["run", "source", "destination", "state", "points", "changed form", "reason"]
        console.print(output.table(columns, rows, right=columns[4:6]))
    models = [
        (m.source, m.name, m.state, ", ".join(f"{a} → {b}" for a, b in m.versions.items()), m.reason)
        for m in plan.manifest.models.values()
    ]
    if models:
        console.print(
            output.table(["registered model", "destination", "state", "versions", "reason"], models)
        )
    for note in progress.notes:
        console.print(output.safe(note))
    waiting = sum(entry.state == "staged" for entry in entries)
    done = [
        f"{counted(progress.delivered, 'run')} brought",
        f"{progress.unchanged:,} unchanged",
        f"{progress.failed:,} failed",
        *([f"{waiting:,} not there yet"] if waiting else []),
        *([f"{progress.conflicts:,} left alone"] if progress.conflicts else []),
    ]
    new = f"new: {counted(progress.records, 'record')}, {counted(progress.points, 'point')} among them"
    console.print(f"{', '.join(done)}; {new}")
    if progress.failed or waiting:
        console.print("the same command goes on with what failed or is not there yet, and with that alone")
    changed = sum(entry.changes > 0 for entry in entries)
    if changed:
        runs = counted(changed, "run")
        console.print(
            f"{runs} {'has' if changed == 1 else 'have'} something in another form: --html shows what"
        )
    console.print(
        output.safe(f"migration {plan.manifest.id}: {plan.manifest.source} → {plan.manifest.destination}")
    )

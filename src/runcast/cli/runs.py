"""``runcast runs``: a list of runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from runcast.catalog import RunInfo, RunList, query, rebuild
from runcast.catalog.texts import moment, number, span, visible
from runcast.cli import output

_PAGE = 50
_METRICS = 3


def runs_command(
    experiment: Annotated[str | None, typer.Argument(help="Only runs of this experiment.")] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help="Conditions, such as: metrics.val/acc > 0.9 and params.lr <= 0.1 and status = finished"
        ),
    ] = None,
    sort: Annotated[str, typer.Option(help="A field, such as start or -metrics.val/acc.")] = "-start",
    limit: Annotated[
        int | None,
        typer.Option(min=0, help=f"At most so many; 0 for all. By default {_PAGE}, and all with --json."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON array, one run a line.")] = False,
    rebuild_first: Annotated[
        bool, typer.Option("--rebuild", help="First make the catalog anew from the journals.")
    ] = False,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
) -> None:
    """List runs, newest first."""
    with output.errors():
        if rebuild_first:
            _rebuild(dir)
        if json:
            page = query.documents(experiment, where=where, sort=sort, limit=limit or None, dir=dir)
            output.print_bytes(b"[" + b",".join(b"\n" + document for document in page) + b"\n]\n")
            return
        most = _PAGE if limit is None else limit or None
        found = query.runs(experiment, where=where, sort=sort, limit=most, dir=dir)
        _print(found, sort, one_experiment=experiment is not None)


def _rebuild(dir: Path | None) -> None:
    done = rebuild(dir)
    typer.echo(f"{len(done.runs)} runs indexed, {len(done.kept)} left as they were", err=True)
    for id, reason in done.skipped.items():
        typer.echo(f"run {visible(id)} not indexed: {visible(reason)}", err=True)


def _print(found: RunList, sort: str, *, one_experiment: bool) -> None:
    if not found:
        typer.echo("no runs", err=True)
        return
    keys = _columns(found, sort)
    columns = ["id", "experiment", "name", "status", "start", "duration", "points", *keys]
    rows: list[tuple[object, ...]] = []
    for run in found:
        metrics = (number(run.metrics[key].last) if key in run.metrics else "" for key in keys)
        rows.append(
            (run.id, run.experiment, run.name, output.status_text(run.status), *_times(run), *metrics)
        )
    if one_experiment:
        del columns[1]
        rows = [(row[0], *row[2:]) for row in rows]
    console = output.console()
    spare = ["points", "duration", *reversed(keys), "start", "experiment"]
    shown, cells = output.fitting(columns, rows, console.width, [name for name in spare if name in columns])
    console.print(output.table(shown, cells, right=["duration", "points", *keys]))
    if hidden := [name for name in columns if name not in shown]:
        typer.echo(f"no room for {visible(', '.join(hidden))}; a wider terminal, or --json, has it", err=True)
    if found.total > len(found):
        typer.echo(f"{len(found)} of {found.total} runs; --limit 0 lists all", err=True)


def _times(run: RunInfo) -> tuple[str, str, str]:
    return moment(run.start), span(run.duration), str(run.points)


def _columns(found: RunList, sort: str) -> list[str]:
    """The metrics worth a column: the one that sorts, then those that most runs have."""
    counts = Counter(key for run in found for key in run.metrics)
    common = sorted(counts, key=lambda key: (-counts[key], key))
    chosen = sort.partition(".")[2]
    return sorted(common, key=lambda key: key != chosen)[:_METRICS]

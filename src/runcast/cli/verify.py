"""``runcast verify``: a destination against its source."""

from __future__ import annotations

from pathlib import Path

import typer

from runcast.catalog.texts import counted
from runcast.cli import migrating, output
from runcast.cli.migrating import Experiment, From, Html, Json, Runs, Since, To
from runcast.errors import UsageError
from runcast.migrate import Plan, prepare
from runcast.migrate.verify import NEVER, Verified, verify
from runcast.plugins.source import Selection


def verify_command(
    source: From,
    dest: To,
    experiment: Experiment = "*",
    run: Runs = None,
    since: Since = None,
    html: Html = None,
    json: Json = False,
) -> None:
    """Read the destination back and compare every point, param, tag and file digest with the source.

    Exit code 1 where anything differs, or has not come.
    """
    with output.errors():
        plan = prepare(source, dest)
        selected = migrating.selection(experiment, run, since)
        if html is not None:
            results = report(plan, selected, html, quiet=json, needed=True)
        else:
            with migrating.counter("comparing", quiet=json) as tell:
                results = list(verify(plan, selected, tell))
    if json:
        output.print_json([{"ok": result.ok, **result.model_dump(mode="json")} for result in results])
    else:
        _tell(results)
    if not all(result.ok for result in results):
        raise typer.Exit(output.FAILED)


def report(
    plan: Plan, selection: Selection, path: Path, *, quiet: bool, needed: bool = False
) -> list[Verified]:
    """Compare, and write the page; where the destination cannot be read back, without a comparison.

    Raises:
        UsageError: there is no comparison, and it is `needed`.
    """
    from runcast.migrate.ids import put
    from runcast.migrate.page import render
    from runcast.migrate.sketch import Sketches

    sketches, results = Sketches(), []
    try:
        with migrating.counter("comparing", quiet=quiet) as tell:
            results = list(verify(plan, selection, tell, sketches.watch))
    except UsageError as error:
        if needed:
            raise
        typer.echo(f"the report has no comparison: {error}", err=True)
    put(path, render(plan, results, sketches).encode("utf-8", "backslashreplace"))
    return results


def _tell(results: list[Verified]) -> None:
    console = output.console()
    rows = [
        (
            r.name,
            r.source if r.kind == "run" else r.kind,
            f"{r.points:,}",
            str(r.values),
            str(r.files),
            r.problem or (counted(len(r.differences), "difference") if r.differences else "same"),
        )
        for r in results
        if r.problem != NEVER
    ]
    columns = ["run", "id", "points", "params, tags, versions", "files, media", ""]
    console.print(output.table(columns, rows, right=columns[2:5]))
    if never := sum(r.problem == NEVER for r in results):
        console.print(
            f"{counted(never, 'more run')} of the source: never brought; `runcast migrate` brings them"
        )
    for result in results:
        for difference in result.differences[:20]:
            line = f"{result.name}: {difference.what} {difference.name}: {difference.source}"
            console.print(output.safe(f"{line} → {difference.destination}"))

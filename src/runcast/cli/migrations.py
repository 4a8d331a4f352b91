"""``runcast migrations`` and ``rollback``: what was migrated, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Annotated

import typer

from runcast.catalog.texts import counted, tally
from runcast.cli import migrating, output
from runcast.cli.migrating import Json, Runs
from runcast.migrate import manifests


def migrations_command(
    ids: Annotated[
        str | None, typer.Option("--ids", metavar="ID", help="Old and new ids of one migration, as CSV.")
    ] = None,
    json: Json = False,
) -> None:
    """List the migrations that were made from here; or the ids that one of them gave."""
    from runcast.migrate import ids as maps
    from runcast.migrate.manifest import opened

    with output.errors():
        root = migrating.root()
        if ids is not None:
            folder, manifest = opened(root, ids)
            if json:
                output.print_json(maps.rows(manifest, folder.layout))
            else:
                output.print_bytes(maps.as_csv(manifest, folder.layout).encode("utf-8", "backslashreplace"))
            return
        found = manifests(root)
    if json:
        output.print_json(migrating.plain(found))
        return
    rows: list[tuple[str, ...]] = [
        (
            m.id,
            m.source,
            m.destination,
            datetime.fromtimestamp(m.changed / 1e9, timezone.utc).strftime("%Y-%m-%d %H:%M"),
            _states([entry.state for entry in m.runs.values()]),
            _states([entry.state for entry in m.models.values()]),
            str(sum(len(entry.versions) for entry in m.models.values() if entry.state != "removed")),
        )
        for m in found
    ]
    columns = ["id", "from", "to", "last (UTC)", "runs", "registered models", "versions"]
    if not any(m.models for m in found):
        columns, rows = columns[:-2], [row[:-2] for row in rows]
    output.console().print(output.table(columns, rows, right=columns[6:]))


def rollback_command(
    id: Annotated[str, typer.Argument(metavar="ID", help="From `runcast migrations`.")],
    run: Runs = None,
    dest: Annotated[
        str | None, typer.Option(help="The destination's address once more, where it holds credentials.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also runs that were edited since.")] = False,
    json: Json = False,
) -> None:
    """Remove what one migration made in its destination, and nothing else.

    Exit code 1 where a run was refused or could not be removed.
    """
    from runcast.migrate.rollback import removals, rollback

    with output.errors(), migrating.counter("removing", quiet=json) as tell:
        results = rollback(
            migrating.root(), id, destination=dest, runs=tuple(run or ()), force=force, tell=tell
        )
    if json:
        output.print_json([result.model_dump(mode="json") for result in results])
    else:
        console = output.console()
        rows = [(r.name, r.source, r.reason) for r in results if not r.ok]
        if rows:
            console.print(output.table(["run", "id", "not removed, because"], rows))
        models = sum(r.ok and not r.run for r in results)
        also = f" and {counted(models, 'registered model')}" if models else ""
        runs = counted(sum(r.ok and bool(r.run) for r in results), "run")
        console.print(f"{runs}{also} removed, {len(rows)} not")
        for remark in removals(results):
            console.print(output.safe(remark))
    if not all(result.ok for result in results):
        raise typer.Exit(output.FAILED)


def _states(states: Sequence[str]) -> str:
    return tally(states) or "none"

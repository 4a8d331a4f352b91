"""``runcast export``: runs as one file, to be kept or handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runcast.catalog.texts import amount
from runcast.cli import migrating, output
from runcast.cli.migrating import Experiment, Json, Runs, Since


def export_command(
    file: Annotated[Path, typer.Argument(help="The archive to write, such as runs.zip.")],
    experiment: Experiment = "*",
    run: Runs = None,
    since: Since = None,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
    json: Json = False,
) -> None:
    """Write runs with their files into one archive, which `runcast migrate local:FILE ...` reads.

    The registry goes along where all runs do. Exit code 1 where a run was left out or a file is gone.
    """
    from runcast.migrate.archive import export

    with output.errors(), migrating.counter("exporting", quiet=json) as tell:
        chosen = migrating.selection(experiment, run, since)
        made = export(file, chosen, folder=dir, tell=tell)
    if json:
        output.print_json(made.model_dump(mode="json"))
    else:
        console = output.console()
        models = f", {len(made.models)} registered models" if made.models else ""
        size = amount(made.bytes)
        console.print(output.safe(f"{len(made.runs)} runs, {made.files} files{models}: {made.file}, {size}"))
        for id_, reason in made.problems.items():
            console.print(output.safe(f"left out: run {id_}: {reason}"))
        for name in made.missing:
            console.print(output.safe(f"gone before: {name}"))
    if made.problems or made.missing:
        raise typer.Exit(output.FAILED)

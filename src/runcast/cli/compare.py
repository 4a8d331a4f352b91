"""``runcast compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runcast.catalog.compare import Comparison, compare
from runcast.catalog.texts import number, value
from runcast.cli import output
from runcast.cli.curves import picture

_LONG = 60


def compare_command(
    runs: Annotated[list[str], typer.Argument(help="Ids, beginnings of ids, or names.")],
    key: Annotated[
        list[str] | None,
        typer.Option(help="Only metrics that match this pattern, such as 'val/*'; may be given again."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write one HTML page here instead, with the curves; it needs nothing else."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, without the curves.")] = False,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
) -> None:
    """Compare runs: params with their differences marked, metrics, curves."""
    with output.errors():
        found = compare(runs, key or None, dir=dir)
        if html is not None:
            output.write_page(html, found.html())
        if json:
            output.print_json(found.to_dict())
        elif html is None:
            _print(found)


def _print(found: Comparison) -> None:
    console = output.console()
    labels = found.labels()
    ids = list(labels)
    if found.params:
        rows = []
        for row in found.params:
            style = "bold yellow" if row.differs else ""
            texts = [value(row.values[id]) if id in row.values else "—" for id in ids]
            sign = "≠" if row.differs else ""
            rows.append([output.safe(cell, style, most=_LONG) for cell in (sign, row.key, *texts)])
        console.print(output.table(["", "param", *labels.values()], rows))
    if found.metrics:
        table = []
        for metric in found.metrics:
            lasts = [number(metric.values[id].last) if id in metric.values else "—" for id in ids]
            table.append((metric.key, *lasts))
        console.print(output.table(["metric", *labels.values()], table, right=list(labels.values())))
    for key, curves in found.curves().items():
        console.print(picture(key, [(labels[id], curve) for id, curve in curves.items()], console.width))

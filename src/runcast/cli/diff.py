"""``runcast diff``: what differs between two runs, and in what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from runcast.catalog.model import Summary
from runcast.catalog.texts import number
from runcast.cli import output
from runcast.reproduce import surroundings
from runcast.reproduce.diff import Difference, diff
from runcast.reproduce.page import package_rows, text
from runcast.reproduce.surroundings import Row

_LONG = 60
_PATCH = 200
"""Lines of a patch that a terminal gets; the page and JSON have all."""


def diff_command(
    one: Annotated[str, typer.Argument(help="Id, beginning of an id, or name.")],
    other: Annotated[str, typer.Argument(help="The same.")],
    html: Annotated[
        Path | None, typer.Option(help="Write one HTML page here instead, with the curves.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, without the curves.")] = False,
    all: Annotated[bool, typer.Option("--all", help="Also what is the same.")] = False,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
) -> None:
    """Put two runs side by side: params, code, environment, data, metrics."""
    with output.errors():
        found = diff(one, other, dir=dir)
        if html is not None:
            output.write_page(html, found.html())
        if json:
            output.print_json(found.to_dict())
        elif html is None:
            _print(found, all)


def _print(found: Difference, everything: bool) -> None:
    console = output.console()
    parts = {
        "params": surroundings.params(found.one, found.other),
        "code": found.code,
        "packages": list(package_rows(found)),
        "environment": [found.seeds, *found.machine],
        "data": found.data,
    }
    same = []
    for title, rows in parts.items():
        shown = [row for row in rows if everything or row.differs]
        if shown:
            console.print(_table(title, found.labels, shown))
        elif rows or title == "packages":
            same.append(title)
    if not found.packages.known:
        console.print(output.safe("packages: not recorded in both runs"))
        same.remove("packages")
    for title, lines in (("files", found.files), ("uncommitted changes", found.patch)):
        if lines:
            console.print(output.safe(f"{title}:", "bold"))
            for line in lines[:_PATCH]:
                console.print(output.safe(line, _color(line)))
            if len(lines) > _PATCH:
                console.print(output.safe(f"... and {len(lines) - _PATCH} more lines: --html or --json"))
    _metrics(found)
    if same and not everything:
        console.print(output.safe(f"the same: {', '.join(same)}"))


def _table(title: str, labels: Sequence[str], rows: Sequence[Row]) -> object:
    table = []
    for row in rows:
        style = "bold yellow" if row.differs else ""
        cells = ("≠" if row.differs else "", row.key, text(row.one), text(row.other))
        table.append([output.safe(cell, style, most=_LONG) for cell in cells])
    return output.table(["", title, *labels], table)


def _metrics(found: Difference) -> None:
    """Last and best of each metric; both ends where nobody said which is better."""
    if not found.comparison.metrics:
        return
    ids = (found.one.id, found.other.id)
    columns = ["metric", *(f"{what}, {label}" for what in ("last", "min", "max") for label in found.labels)]
    rows = []
    for metric in found.comparison.metrics:
        pair = [metric.values.get(id) for id in ids]
        rows.append((metric.key, *(_cell(each, what) for what in ("last", "min", "max") for each in pair)))
    output.console().print(output.table(columns, rows, right=columns[1:]))


def _cell(summary: Summary | None, what: str) -> str:
    return "—" if summary is None else number(getattr(summary, what))


def _color(line: str) -> str:
    return {"+": "green", "-": "red"}.get(line[:1], "")

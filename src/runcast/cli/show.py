"""``runcast show``: everything about one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runcast import catalog
from runcast.catalog import RunInfo
from runcast.catalog.curves import curve
from runcast.catalog.texts import moment, number, span, value
from runcast.cli import output
from runcast.cli.curves import picture
from runcast.cli.show_logged import cut, logged

if TYPE_CHECKING:
    from rich.console import RenderableType


def show_command(
    run: Annotated[str, typer.Argument(help="Its id, the beginning of its id, or its name.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    curves: Annotated[
        bool, typer.Option("--curves", help="Draw the metrics; with --json, every point.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="What each tracker got, and what in a lesser form.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write one HTML page here instead, with the curves, images, plots and sounds."),
    ] = None,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
) -> None:
    """Show one run: params, metrics, tags, artifacts, models, inputs, media, and what was lost."""
    with output.errors():
        info = catalog.run(run, dir=dir)
        if report:
            _print_report(info.id, dir, json=json)
            return
        if html is not None:
            from runcast.catalog.run_page import page

            output.write_page(html, page(info))
            return
        if json:
            output.print_json(_whole(info, curves=curves))
            return
        console = output.console()
        for part in _parts(info):
            console.print(part)
        if curves:
            for key, points in info.history().items():
                console.print(picture(key, [(info.name, curve(points))], console.width))


def _print_report(run: str, dir: Path | None, *, json: bool) -> None:
    from runcast.cli import reports

    found = reports.read(run, dir)
    if json:
        output.print_json(found.model_dump(mode="json"))
        return
    console = output.console()
    for part in reports.parts(found):
        console.print(part)


def _whole(info: RunInfo, *, curves: bool) -> dict[str, Any]:
    import msgspec

    whole = info.to_dict()
    found = {
        "artifacts": info.artifacts,
        "models": info.models,
        "inputs": info.inputs(),
        "media": info.media(),
        "environment": info.environment(),
        "system": info.system(),
        "traces": info.traces(),
        "losses": info.losses(),
    }
    whole.update((name, msgspec.to_builtins(parts)) for name, parts in found.items())
    if curves:
        whole["history"] = {key: [list(point) for point in points] for key, points in info.history().items()}
    return whole


def _parts(info: RunInfo) -> Iterator[RenderableType]:
    yield output.table(["run", ""], [(name, text) for name, text in _head(info) if text])
    if info.note:
        yield output.safe(info.note, most=4000, lines=True)
    if info.params:
        yield output.table(["param", "value"], [(k, cut(value(v))) for k, v in info.params.items()])
    if info.metrics:
        yield _metrics(info)
    if info.tags:
        yield output.table(["tag", "value"], [(k, cut(v)) for k, v in info.tags.items()])
    yield from logged(info)


def _head(info: RunInfo) -> list[tuple[str, RenderableType]]:
    who = " on ".join(part for part in (info.user, info.host) if part)
    return [
        ("id", info.id),
        ("name", info.name),
        ("experiment", info.experiment),
        ("status", output.status_text(info.status)),
        ("error", info.error or ""),
        ("start", moment(info.start)),
        ("end", moment(info.end)),
        ("duration", span(info.duration)),
        ("parent", info.parent or ""),
        ("group", info.group or ""),
        ("job type", info.job_type or ""),
        ("by", who),
        ("points", str(info.points)),
    ]


def _metrics(info: RunInfo) -> RenderableType:
    columns = ["metric", "last", "step", "min", "max", "points"]
    rows = [
        [key, number(m.last), str(m.step), number(m.min), number(m.max), str(m.count)]
        for key, m in info.metrics.items()
    ]
    if any(m.best is not None for m in info.metrics.values()):
        columns.append("best")
        for row, m in zip(rows, info.metrics.values(), strict=True):
            row.append("" if m.best is None else f"{number(m.best)} at {m.best_step}")
    return output.table(columns, rows, right=columns[1:])

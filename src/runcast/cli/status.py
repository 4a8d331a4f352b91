"""``runcast status``: what is on its way, to where, and what keeps it."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from runcast.cli.output import console, errors, print_json, safe, status_text
from runcast.config import load
from runcast.courier.catchup import check_known, find_pending
from runcast.courier.report import RunReport, report
from runcast.journal import Layout


def status_command(
    runs: Annotated[
        list[str] | None, typer.Argument(help="ids; all that are under way where left out")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="also what is completely delivered")] = False,
    json_: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Show pending records, lag and the last error per run and backend.

    Exit code 1 where something needs a person: a paused backend or rejected records.
    """
    with errors():
        config = load()
        layout = Layout(config.base / config.settings.dir)
        reports = [report(layout, run, time.time_ns()) for run in _chosen(layout, runs, all_)]
    if json_:
        print_json([found.model_dump(mode="json") for found in reports])
    else:
        _print(reports)
    if any(b.state == "paused" or b.rejected for found in reports for b in found.backends):
        raise typer.Exit(1)


def _chosen(layout: Layout, runs: list[str] | None, everything: bool) -> list[str]:
    if runs:
        check_known(layout, runs)
        return runs
    return layout.run_ids() if everything else [item.run for item in find_pending(layout, {})]


def _print(reports: list[RunReport]) -> None:
    from rich.table import Column, Table

    out = console()
    if not reports:
        out.print("everything is delivered")
        return
    whole = [Column(name, no_wrap=True) for name in ("run", "backend", "delivery")]  # what people copy
    table = Table(
        whole[0], "experiment / name", "status", *whole[1:], "pending", "lag", "last error", box=None
    )
    for found in reports:
        for index, backend in enumerate(found.backends):
            first = index == 0
            table.add_row(
                found.run if first else "",
                safe(f"{found.experiment} / {found.name}", most=50) if first else "",
                status_text(found.status) if first else "",
                safe(backend.backend),
                safe(backend.state, "red" if backend.state == "paused" else ""),
                str(backend.pending),
                f"{backend.lag:.0f} s" if backend.pending else "",
                safe(backend.error or _rejected(len(backend.rejected)), most=200),
            )
    out.print(table)
    for found in reports:
        if found.error:
            out.print(safe(f"{found.run}: {found.error}", "red", most=300))


def _rejected(count: int) -> str:
    return f"{count} records were rejected: see `runcast show RUN --report`" if count else ""

"""``runcast deliver``: finish what an earlier courier left, after a reboot or an outage."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from runcast.catalog.texts import shorten, visible
from runcast.cli.output import console, errors, print_json
from runcast.config import load
from runcast.courier.catchup import Pending, check_known, deliver, find_pending
from runcast.courier.closing import beginnings
from runcast.courier.pending import destinations
from runcast.courier.report import report
from runcast.courier.started_here import is_noted
from runcast.courier.supervisor import Supervisor
from runcast.journal import Layout

MOST_TOLD, MOST_SHOWN = 20, 300
"""Runs whose destinations are listed, and characters of each."""


def deliver_command(
    runs: Annotated[list[str] | None, typer.Argument(help="ids; every run where left out")] = None,
    timeout: Annotated[
        float, typer.Option(help="seconds after which the rest is left for another time")
    ] = 600.0,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="also runs that were not started here: go where their journals say"),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Deliver every record that a backend does not have yet.

    A run whose own courier is still at work is left to it; a run whose process died ends as crashed. A
    journal says itself where its run goes, so a run that you did not start in this folder, on this machine,
    is left alone and its destinations are shown, until you say `--trust`.
    Exit code 1 where something is left: the reason stands in `runcast status`.
    """
    with errors():
        config = load()
        layout = Layout(config.base / config.settings.dir)
        check_known(layout, runs)
        found = find_pending(layout, config.options, runs or None)
        pending = [item for item in found if trust or is_noted(layout, item.run)]
        if pending:
            _deliver(layout, pending, timeout)
        strangers = [item for item in found if item not in pending]
    left = find_pending(layout, config.options, [item.run for item in pending])
    if json_:
        now = time.time_ns()
        print_json([report(layout, item.run, now).model_dump(mode="json") for item in pending])
    elif strangers and not pending:
        pass  # said below
    elif not left:
        console().print(f"delivered: {len(pending)} runs" if pending else "everything was delivered already")
    else:
        console().print(f"{len(left)} of {len(pending)} runs are not complete; `runcast status` says why")
    _tell_strangers(layout, strangers)
    if left or strangers:
        raise typer.Exit(1)


def _tell_strangers(layout: Layout, strangers: list[Pending]) -> None:
    """Where these runs would go, so that a person can decide."""
    for item in strangers[:MOST_TOLD]:
        folders = {record.base for record in beginnings(layout.journal(item.run))}
        places = destinations(layout, item.run)  # as the journal has them: without secrets
        for name in item.backends:
            options = ", ".join(f"{key}={value}" for key, value in places[name].items()) or "its defaults"
            where = f"{item.run} to {name} ({options}), from {', '.join(sorted(folders))}"
            typer.echo(f"not delivered: {visible(shorten(where, MOST_SHOWN))}", err=True)
    if strangers:
        here = visible(str(layout.root.resolve()))
        typer.echo(
            f"{len(strangers)} runs were not started by you, on this machine, in {here}: where you know them "
            "and these destinations, add --trust; else name your own: `runcast migrate local: DESTINATION`",
            err=True,
        )


def _deliver(layout: Layout, pending: list[Pending], timeout: float) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    lanes = sum(len(item.backends) for item in pending)
    columns = (
        TextColumn("delivering"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs x backends"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=lanes)

        def tell(supervisor: Supervisor) -> None:
            left = sum(worker.left for worker in supervisor.workers.values())
            bar.update(task, completed=max(0, lanes - left))

        deliver(layout, pending, timeout, tell)

"""``runcast deliver``: finish what an earlier courier left, after a reboot or an outage."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from runcast.cli.output import console, errors, print_json
from runcast.config import load
from runcast.courier.catchup import Pending, check_known, deliver, find_pending
from runcast.courier.report import report
from runcast.courier.supervisor import Supervisor
from runcast.journal import Layout


def deliver_command(
    runs: Annotated[list[str] | None, typer.Argument(help="ids; every run where left out")] = None,
    timeout: Annotated[
        float, typer.Option(help="seconds after which the rest is left for another time")
    ] = 600.0,
    json_: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Deliver every record that a backend does not have yet.

    A run whose own courier is still at work is left to it; a run whose process died ends as crashed.
    Exit code 1 where something is left: the reason stands in `runcast status`.
    """
    with errors():
        config = load()
        layout = Layout(config.base / config.settings.dir)
        check_known(layout, runs)
        pending = find_pending(layout, config.options, runs or None)
        _deliver(layout, pending, timeout)
    left = find_pending(layout, config.options, [item.run for item in pending])
    if json_:
        now = time.time_ns()
        print_json([report(layout, item.run, now).model_dump(mode="json") for item in pending])
    elif not left:
        console().print(f"delivered: {len(pending)} runs" if pending else "everything was delivered already")
    else:
        console().print(f"{len(left)} of {len(pending)} runs are not complete; `runcast status` says why")
    if left:
        raise typer.Exit(1)


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

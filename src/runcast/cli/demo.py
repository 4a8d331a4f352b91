"""``runcast demo``: a real training, four trackers, and the proof that they hold the same run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runcast.cli.output import console, errors, print_json, safe

if TYPE_CHECKING:
    from rich.progress import Progress

    from runcast.courier.report import RunReport


def demo_command(
    folder: Annotated[Path, typer.Option(help="where everything goes")] = Path("runcast-demo"),
    json_: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Train a digit classifier and log it to MLflow, W&B (offline), TensorBoard and local at once.

    Nothing leaves this machine and no account is needed. Exit code 1 where the trackers disagree.
    """
    import runcast
    from runcast.demo.readback import Comparison, compare
    from runcast.demo.training import train

    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "dir": str(folder / ".runcast"),
        "mlflow": {"uri": f"sqlite:///{folder / 'mlflow.db'}"},
        "wandb": {"mode": "offline", "dir": str(folder)},
        "tensorboard": {"logdir": str(folder / "runs")},
    }
    backends = ["mlflow", "wandb", "tensorboard", "local"]
    out = console()
    with errors():
        run = runcast.start(
            "digits", tags={"task": "classification"}, notes="runcast demo", backends=backends, config=config
        )
        with run, tempfile.TemporaryDirectory() as scratch:
            if json_:
                train(run, Path(scratch))
            else:
                with _progress() as bar:
                    task = bar.add_task("", total=None)
                    train(run, Path(scratch), lambda epoch, of: bar.update(task, completed=epoch, total=of))
            run.finish(timeout=120)
        found = run.report()
        comparison: Comparison = compare(folder, run)
    if json_:
        print_json(
            {"report": found.model_dump(mode="json"), "comparison": comparison.model_dump(mode="json")}
        )
    else:
        _print_report(found)
        for line in comparison.lines():
            out.print(safe(line))
    if not comparison.same or not found.complete:
        raise typer.Exit(1)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _print_report(found: RunReport) -> None:
    from rich.table import Table

    out = console()
    out.print(safe(f"run {found.run} ({found.experiment} / {found.name}): {found.records} records"))
    table = Table("backend", "delivered", "renamed", "degraded", "rejected", "where", box=None)
    for backend in found.backends:
        changes = [change.what for change in backend.changes]
        table.add_row(
            safe(backend.backend),
            f"{backend.records} of {found.records}",
            str(changes.count("renamed")),
            str(len(changes) - changes.count("renamed")),
            str(len(backend.rejected)),
            safe(backend.url),
        )
    out.print(table)
    out.print("To look at it in each tracker's own UI:")
    for backend in found.backends:
        out.print(safe(f"  {backend.backend:12} {backend.command}"))
        for change in backend.changes:
            out.print(safe(f"  {'':12} {change.what}: {change.key}: {change.detail}", "dim"))

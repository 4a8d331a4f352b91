"""``runcast migrate``, ``verify`` and ``migrations``: history from one tracker to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Annotated, Any

import typer

from runcast.cli import output
from runcast.config import load
from runcast.errors import UsageError
from runcast.migrate import Manifest, Plan, Progress, manifests, migrate, prepare
from runcast.plugins.source import Selection

From = Annotated[
    str, typer.Argument(metavar="SOURCE", help="mlflow:URI, wandb:PLACE, tensorboard:LOGDIR, local:")
]
To = Annotated[str, typer.Argument(metavar="DEST", help="The same forms.")]
Experiment = Annotated[str, typer.Option(help="Glob over experiments.")]
Runs = Annotated[list[str] | None, typer.Option("--run", help="The source's id of a run; repeat it.")]
Since = Annotated[str | None, typer.Option(help="Runs that started at or after YYYY-MM-DD[THH:MM:SS], UTC.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def migrate_command(
    source: From,
    dest: To,
    experiment: Experiment = "*",
    run: Runs = None,
    since: Since = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes that read.")] = None,
    json: Json = False,
) -> None:
    """Bring runs from one tracker to another, with their original times; a second time, only what is new.

    Exit code 1 where a run failed; the others are there all the same.
    """
    with output.errors():
        plan = prepare(source, dest)
        with _bar(quiet=json) as tell:
            progress = migrate(plan, selection(experiment, run, since), jobs=jobs, tell=tell)
    entries = list(plan.manifest.runs.values())
    failed = [entry for entry in entries if entry.state == "failed"]
    if json:
        output.print_json(
            {"migration": plan.manifest.id, "progress": _plain(progress), "runs": _plain(entries)}
        )
    else:
        _tell(plan, progress)
    if failed:
        raise typer.Exit(output.FAILED)


def verify_command(
    source: From,
    dest: To,
    experiment: Experiment = "*",
    run: Runs = None,
    since: Since = None,
    json: Json = False,
) -> None:
    """Read the destination back and compare every point, param, tag and file digest with the source.

    Exit code 1 where anything differs.
    """
    from runcast.migrate.verify import verify

    with output.errors():
        plan = prepare(source, dest)
        results = list(verify(plan, selection(experiment, run, since)))
    if json:
        output.print_json([result.model_dump(mode="json") for result in results])
    else:
        console = output.console()
        rows = [
            (
                r.name,
                r.source,
                str(r.points),
                str(r.values),
                str(r.files),
                r.problem or _count(len(r.differences)),
            )
            for r in results
        ]
        columns = ["run", "id", "points", "params, tags", "files, media", ""]
        console.print(output.table(columns, rows, right=columns[2:5]))
        for result in results:
            for difference in result.differences[:20]:
                line = f"{result.name}: {difference.what} {difference.name}: {difference.source}"
                console.print(output.safe(f"{line} → {difference.destination}"))
    if not all(result.ok for result in results):
        raise typer.Exit(output.FAILED)


def migrations_command(json: Json = False) -> None:
    """List the migrations that were made from here."""
    with output.errors():
        config = load()
        found = manifests(config.base / config.settings.dir)
    if json:
        output.print_json(_plain(found))
        return
    rows = [
        (
            m.id,
            m.source,
            m.destination,
            datetime.fromtimestamp(m.changed / 1e9, timezone.utc).strftime("%Y-%m-%d %H:%M"),
            _states(m),
        )
        for m in found
    ]
    output.console().print(output.table(["id", "from", "to", "last (UTC)", "runs"], rows))


def selection(experiment: str, runs: list[str] | None, since: str | None) -> Selection:
    """The options of a command as a selection.

    Raises:
        UsageError: the time is none.
    """
    moment = None
    if since:
        try:
            parsed = datetime.fromisoformat(since)
        except ValueError:
            raise UsageError(
                f"--since {since!r} is no time: write 2026-01-31 or 2026-01-31T12:00:00"
            ) from None
        parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
        moment = int(parsed.timestamp() * 1e9)
    return Selection(experiment=experiment, runs=tuple(runs or ()), since=moment)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Any]:
    """A bar on stderr with runs, points a second and the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("migrating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs, {task.fields[points]:,} points"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=None, points=0)

        def tell(progress: Progress) -> None:
            done = progress.unchanged + progress.staged + progress.failed
            bar.update(task, total=progress.runs, completed=done, points=progress.points)

        yield tell


def _tell(plan: Plan, progress: Progress) -> None:
    console = output.console()
    entries = plan.manifest.runs.values()
    rows = [
        (e.name, e.source, e.ref.id if e.ref else "", e.state, str(e.points), e.reason)
        for e in entries
        if e.state != "delivered" or e.reason
    ]
    if rows:
        console.print(
            output.table(["run", "there", "here", "state", "points", "reason"], rows, right=["points"])
        )
    done = f"{progress.delivered} runs brought, {progress.unchanged} unchanged, {progress.failed} failed"
    console.print(f"{done}; {progress.records:,} records, {progress.points:,} points were new")
    console.print(
        output.safe(f"migration {plan.manifest.id}: {plan.manifest.source} → {plan.manifest.destination}")
    )


def _states(manifest: Manifest) -> str:
    states = [entry.state for entry in manifest.runs.values()]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"


def _count(differences: int) -> str:
    return f"{differences} differences" if differences else "same"


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)

"""What the commands about migrations share: their options, the bar, the plain tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from runcast.catalog.texts import counted, shorten, visible
from runcast.config import load
from runcast.errors import UsageError
from runcast.migrate import Progress
from runcast.plugins.source import Selection

EVERY = 30.0
"""Seconds between two lines about progress where there is no terminal."""
From = Annotated[
    str, typer.Argument(metavar="SOURCE", help="mlflow:URI, wandb:PLACE, tensorboard:LOGDIR, local:")
]
To = Annotated[str, typer.Argument(metavar="DEST", help="The same forms.")]
Experiment = Annotated[str, typer.Option(help="Glob over experiments.")]
Runs = Annotated[list[str] | None, typer.Option("--run", help="The source's id of a run; repeat it.")]
Since = Annotated[str | None, typer.Option(help="Runs that started at or after YYYY-MM-DD[THH:MM:SS], UTC.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 where something would be lost.")]
StrictMapped = Annotated[
    bool, typer.Option("--strict-mapped", help="Exit 1 also where something is kept in another form only.")
]
Html = Annotated[Path | None, typer.Option(help="Write a report with curves of both sides to this file.")]


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


def root() -> Path:
    """The configured runcast directory."""
    config = load()
    return config.base / config.settings.dir


@contextmanager
def bar(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar on stderr: runs, records a second, the time left, and what keeps the destination."""
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
        TextColumn("runs, {task.fields[read]:,} records, {task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[trouble]}", markup=False),
    )
    console = Console(stderr=True)
    said = Lines(console.is_terminal and not quiet)
    with Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as shown:
        task = shown.add_task("", total=None, read=0, rate=0.0, trouble="")
        began = time.monotonic()

        def tell(progress: Progress) -> None:
            said.tell(progress)
            # Half of a run's work is reading it, the other half bringing it.
            done = progress.unchanged + progress.failed + progress.conflicts
            done_halves = (progress.staged + progress.delivered) / 2
            shown.update(
                task,
                total=progress.runs,
                completed=done + done_halves,
                read=progress.read,
                rate=progress.read / max(time.monotonic() - began, 0.001),
                trouble=visible(shorten(progress.trouble, 80)),
            )

        yield tell


class Lines:
    """What a log gets that shows no bar: how far it is, now and then, and each trouble once.

    Args:
        silent: a bar says it all.
    """

    def __init__(self, silent: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._silent, self._clock = silent, clock
        self._due = clock() + EVERY
        self._trouble = ""

    def tell(self, progress: Progress) -> None:
        """Say on stderr what is due."""
        if self._silent:
            return
        if progress.trouble and progress.trouble != self._trouble:
            typer.echo(f"waiting: {visible(shorten(progress.trouble, 500))}", err=True)
        self._trouble = progress.trouble
        if self._clock() >= self._due:
            self._due = self._clock() + EVERY
            done = progress.unchanged + progress.failed + progress.conflicts + progress.delivered
            there = f"{done:,} of {counted(progress.runs, 'run')} done"
            typer.echo(f"{there}, {counted(progress.read, 'record')} read", err=True)


@contextmanager
def counter(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for work that counts runs."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, disable=quiet) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def plain(value: Any) -> Any:
    """A struct as JSON-like values; every field is there, whatever it holds."""
    import msgspec

    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value

"""``runcast gc``: what takes room in runcast's folder and is needed by nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from runcast.catalog.texts import amount, moment, visible
from runcast.cli import output
from runcast.config import Config, load
from runcast.errors import UsageError
from runcast.journal import Layout
from runcast.retention import Found, Rules, at_work, look, sweep

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def gc_command(
    older_than: Annotated[
        str | None, typer.Option(help="Runs that ended so long ago too, such as 90d, 12h or 2w.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Of each experiment, runs beyond so many of the latest too."),
    ] = None,
    only_copy: Annotated[
        bool, typer.Option("--only-copy", help="Such runs also where no other tracker has them.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is only listed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
) -> None:
    """List what nothing needs any more, and remove it with --yes.

    That is contents of files that no run names, and what a killed process left. Runs go only where
    --older-than or --keep names them, and only those that every tracker has completely; both together name
    the runs that are old and beyond the latest. Trackers keep what they got.

    Exit code 1 where somebody is at work in the folder, so that nothing could be removed.
    """
    from rich.console import Console

    with output.errors():
        if only_copy and older_than is None and keep is None:
            raise UsageError("--only-copy needs --older-than or --keep, which say which runs")
        config = load()
        layout = Layout(dir or config.dir)
        rules = Rules(older=_seconds(older_than), keep=keep, only_copy=only_copy)
        folders = _wandb(config)

        def find() -> Found:
            return look(layout, rules, wandb=folders)

        with Console(stderr=True).status("looking for what nothing needs"):  # on a terminal alone
            found = sweep(layout, find) if yes and layout.root.is_dir() else find()
        busy = "" if yes else at_work(layout)
    if json:
        output.print_json(_plain(found, layout, removed=yes) | {"at_work": busy})
    else:
        _print(found, removed=yes, busy=busy)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)", text.strip())
    if match is None:
        raise UsageError(
            f"--older-than {text!r}: a number with a unit is needed, one of {', '.join(_SECONDS)}"
        )
    return float(match[1]) * _SECONDS[match[2]]


def _wandb(config: Config) -> list[Path]:
    """Where the configured W&B backend writes."""
    said = config.options.get("wandb", {}).get("dir") or os.environ.get("WANDB_DIR") or "."
    return [config.base / Path(str(said)).expanduser() / "wandb"]


def _plain(found: Found, layout: Layout, *, removed: bool) -> dict[str, Any]:
    def names(paths: Sequence[Path]) -> list[str]:
        return [str(path.relative_to(layout.root)) for path in paths]

    return {
        "removed": removed,
        "bytes": found.bytes,
        "runs": [
            {"id": r.run, "experiment": r.experiment, "name": r.name, "ended": r.ended, "bytes": r.bytes}
            for r in found.runs
        ],
        "kept": [{"id": kept.run, "reason": kept.reason} for kept in found.kept],
        "files": names([*found.blobs, *found.snapshots, *found.views, *found.leftovers]),
    }


def _print(found: Found, *, removed: bool, busy: str) -> None:
    out = output.console()
    if found.runs:
        rows = [(r.run, r.experiment, r.name, moment(r.ended), amount(r.bytes)) for r in found.runs]
        out.print(output.table(["run", "experiment", "name", "ended", "size"], rows, right=["size"]))
    for paths, what in (
        (found.blobs, "contents of files that no run names"),
        (found.snapshots, "snapshots of files that no run names"),
        (found.views, "folders of artifacts whose runs are gone"),
        (found.leftovers, "files that a killed process was writing"),
    ):
        if paths:
            out.print(f"{len(paths)} {what}")
    if found.kept:
        reasons = [(kept.run, kept.reason) for kept in found.kept]
        out.print(output.table(["run that stays", "because"], reasons))
    count = len(found.runs) + sum(map(len, (found.blobs, found.snapshots, found.views, found.leftovers)))
    if not count:
        out.print("nothing to remove")
    elif removed:
        out.print(f"removed: {amount(found.bytes)}")
    else:
        out.print(f"{amount(found.bytes)} would be freed; `runcast gc ... --yes` removes it")
    if busy and count:
        typer.echo(f"{visible(busy)}: --yes has to wait until that is over", err=True)

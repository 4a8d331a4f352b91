"""``runcast registry``: model versions in every configured registry at once, or in the one that is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from runcast.cli import output
from runcast.cli.registry_lines import (
    ask,
    show_answer,
    show_comparison,
    show_events,
    show_problems,
    show_versions,
)
from runcast.errors import UsageError
from runcast.model_registry import Answer, Found, Registries, registry

app = typer.Typer(no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A registered model.")]
Wanted = Annotated[
    str, typer.Argument(metavar="VERSION", help="NAME, NAME:v3, NAME@alias, NAME/stage or NAME@digest.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--registry", "-r", help="mlflow, wandb, local; repeat it. All that are configured."),
]
By = Annotated[str, typer.Option(help="Who does it; user@host.")]
Note = Annotated[str, typer.Option(help="Why, for the history.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="KEY or KEY=VALUE; repeat it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON value.")]


@app.command("register")
def register_command(
    name: Name,
    source: Annotated[
        str | None, typer.Argument(help="A folder or file, or [EXPERIMENT/]ARTIFACT[:ALIAS].")
    ] = None,
    run: Annotated[str | None, typer.Option(help="The run that made it; its last model.")] = None,
    description: Annotated[str | None, typer.Option(help="Prose.")] = None,
    tag: Tags = None,
    alias: Annotated[list[str] | None, typer.Option(help="A moving name; repeat it.")] = None,
    registry: Where = None,
    by: By = "",
    json: Json = False,
) -> None:
    """Make a version of a run's model, an artifact or a folder; a second time, nothing new."""
    _answered(
        registry,
        by,
        json,
        lambda all_: all_.register(
            name, source, run=run, description=description, tags=_pairs(tag), aliases=alias or []
        ),
    )


@app.command("list")
def list_command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Every model where left out.")] = None,
    registry: Where = None,
    json: Json = False,
) -> None:
    """List the versions of a model, or of every model."""
    with output.errors(), _opened(registry, "") as every:
        found = every.versions(name or "")
    versions = [version for of_one in found.values() for version in of_one]
    if json:
        output.print_json([version.model_dump() for version in versions])
    else:
        show_versions(versions)
    _told(found)


@app.command("show")
def show_command(wanted: Wanted, registry: Where = None, json: Json = False) -> None:
    """Everything about one version."""
    _answered(registry, "", json, lambda every: every.get(wanted), details=True)


@app.command("promote")
def promote_command(
    wanted: Wanted,
    stage: Annotated[str, typer.Argument(help="One of the policy's stages.")],
    approve: Annotated[str, typer.Option(help="Who agrees, where the policy asks for it.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the policy says; move nothing.")
    ] = False,
    note: Note = "",
    registry: Where = None,
    by: By = "",
    json: Json = False,
) -> None:
    """Bring a version into a stage, if the policy lets it; exit code 1 where a registry refused."""
    if not dry_run:
        agree = approve or (ask if sys.stdin.isatty() and not json else None)
        _answered(registry, by, json, lambda every: every.promote(wanted, stage, approve=agree, note=note))
        return
    with output.errors(), _opened(registry, by) as every:
        found = every.check(wanted, stage)
    if json:
        output.print_json({key: [check.model_dump() for check in checks] for key, checks in found.items()})
    else:
        rows = [
            (key, check.condition, "yes" if check.ok else "no", check.actual)
            for key, checks in found.items()
            for check in checks
        ]
        output.console().print(output.table(["registry", "condition", "met", "what was found"], rows))
    _told(found)
    if not all(check.ok for checks in found.values() for check in checks):
        raise typer.Exit(output.FAILED)


@app.command("rollback")
def rollback_command(
    name: Name,
    stage: Annotated[str, typer.Option(help="The policy's last where left out.")] = "",
    note: Note = "",
    registry: Where = None,
    by: By = "",
    json: Json = False,
) -> None:
    """Bring back the version that the one in a stage has replaced."""
    _answered(registry, by, json, lambda every: every.rollback(name, stage, note=note))


@app.command("alias")
def alias_command(
    wanted: Wanted,
    alias: Annotated[str, typer.Argument(help="A moving name.")],
    delete: Annotated[bool, typer.Option("--delete", help="Take it away instead.")] = False,
    registry: Where = None,
    by: By = "",
    json: Json = False,
) -> None:
    """Point an alias to a version, or take it away."""
    _answered(
        registry,
        by,
        json,
        lambda every: every.unalias(wanted, alias) if delete else every.alias(wanted, alias),
    )


@app.command("tag")
def tag_command(
    wanted: Wanted,
    tags: Annotated[list[str], typer.Argument(metavar="KEY[=VALUE]...", help="Labels.")],
    description: Annotated[str | None, typer.Option(help="Prose, beside the labels.")] = None,
    registry: Where = None,
    json: Json = False,
) -> None:
    """Label a version."""
    _answered(registry, "", json, lambda every: every.tag(wanted, _pairs(tags), description=description))


@app.command("compare")
def compare_command(
    wanted: Annotated[list[str], typer.Argument(metavar="VERSION...", help="Versions, or one model.")],
    by: Annotated[str, typer.Option(help="Metric; the best first.")] = "",
    registry: Where = None,
    json: Json = False,
) -> None:
    """Versions side by side, by their metrics."""
    with output.errors(), _opened(registry, "") as every:
        found = every.compare(wanted, by=by)
    if json:
        output.print_json({key: comparison.model_dump() for key, comparison in found.items()})
    else:
        for comparison in found.values():
            show_comparison(comparison)
    _told(found)


@app.command("download")
def download_command(
    wanted: Wanted,
    folder: Annotated[Path | None, typer.Argument(help="A new folder.")] = None,
    registry: Where = None,
    json: Json = False,
) -> None:
    """Copy a version's files, each compared with its digest."""
    with output.errors(), _opened(registry, "") as every:
        made = every.download(wanted, folder)
    if json:
        output.print_json({"folder": str(made.absolute())})
    else:
        output.console().print(output.safe(str(made)))


@app.command("history")
def history_command(name: Name, registry: Where = None, json: Json = False) -> None:
    """Who registered, moved and named what, and when."""
    with output.errors(), _opened(registry, "") as every:
        found = every.history(name)
    if json:
        output.print_json({key: [event.model_dump() for event in events] for key, events in found.items()})
    else:
        show_events(found)
    _told(found)


def _opened(names: list[str] | None, by: str) -> Registries:
    return registry(names or None, by=by)


def _answered(
    names: list[str] | None,
    by: str,
    json: bool,
    call: Callable[[Registries], Answer],
    *,
    details: bool = False,
) -> None:
    """Do it everywhere, and tell the truth in the exit code."""
    with output.errors(), _opened(names, by) as every:
        answer = call(every)
    if json:
        output.print_json(answer.model_dump())
    else:
        show_answer(answer, details=details)
    if not answer.ok:
        raise typer.Exit(output.FAILED)


def _told(found: Found[Any]) -> None:
    """Which registries did not answer, and the truth in the exit code."""
    if found.problems:
        show_problems(found.problems)
        raise typer.Exit(output.FAILED)


def _pairs(tags: list[str] | None) -> dict[str, str]:
    pairs: dict[str, Any] = {}
    for tag in tags or ():
        key, _, value = tag.partition("=")
        if key in pairs:
            raise UsageError(f"tag {key!r} is given twice")
        pairs[key] = value
    return pairs

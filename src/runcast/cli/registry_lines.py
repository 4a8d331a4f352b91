"""What ``runcast registry`` prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

import typer

from runcast.catalog.texts import visible
from runcast.cli import output
from runcast.model_registry import Answer, Comparison, Event, ModelVersion, Request


def show_versions(versions: Sequence[ModelVersion]) -> None:
    """A line for each."""
    rows = [
        (
            v.registry,
            v.name,
            f"v{v.version}",
            v.stage,
            ", ".join(v.aliases),
            _labels(v),
            v.run,
            _when(v.created),
        )
        for v in versions
    ]
    columns = ["registry", "model", "version", "stage", "aliases", "tags", "run", "registered (UTC)"]
    output.console().print(output.table(columns, rows))


def show_answer(answer: Answer, *, details: bool = False) -> None:
    """Versions, then what went wrong where."""
    if answer.versions:
        show_versions(list(answer.versions.values()))
    if details:
        for version in answer.versions.values():
            _show_details(version)
    show_problems(answer.problems)


def show_problems(problems: Mapping[str, str]) -> None:
    """Registry and why it did not do it, each on lines of its own, on stderr."""
    for name, problem in problems.items():
        typer.echo(f"{name}: {visible(problem, lines=True)}", err=True)


def _show_details(version: ModelVersion) -> None:
    pairs = [
        ("description", version.description),
        ("registered by", version.by),
        ("run in the tracker", version.ref),
        ("files are at", version.source),
        ("digest", version.digest),
        *((f"metric {name}", f"{value:g}") for name, value in sorted(version.metrics.items())),
    ]
    rows = [pair for pair in pairs if pair[1]]
    output.console().print(output.table(["", ""], rows, title=f"{version} ({version.registry})"))


def show_comparison(comparison: Comparison) -> None:
    """A column for each metric."""
    if not comparison.versions:
        return
    rows = [
        (
            str(version),
            version.stage,
            *(f"{version.metrics[m]:g}" if m in version.metrics else "" for m in comparison.metrics),
        )
        for version in comparison.versions
    ]
    title = comparison.versions[0].registry
    columns = ["version", "stage", *comparison.metrics]
    output.console().print(output.table(columns, rows, title=title, right=comparison.metrics))


def show_events(found: Mapping[str, Sequence[Event]]) -> None:
    """A line for each."""
    rows = [
        (
            name,
            _when(event.time),
            event.who,
            event.action + (" (was too late)" if event.state == "lost" else ""),
            event.alias,
            _place(event.previous) + " → " + _place(event.version) if event.alias else _place(event.version),
            "; ".join(filter(None, [event.approved_by and f"approved by {event.approved_by}", event.note])),
        )
        for name, events in found.items()
        for event in events
    ]
    columns = ["registry", "when (UTC)", "who", "what", "alias", "version", ""]
    output.console().print(output.table(columns, rows))


def ask(request: Request) -> bool:
    """Ask the person at the terminal whether they agree."""
    for check in request.checks:
        typer.echo(visible(f"  {check.condition}: {check.actual}"))
    instead = f", in the place of {request.current}" if request.current else ""
    return typer.confirm(visible(f"Promote {request.version} to {request.stage}{instead}?"))


def _place(version: int | None) -> str:
    return "nowhere" if version is None else f"v{version}"


def _labels(version: ModelVersion) -> str:
    return ", ".join(f"{key}={value}" if value else key for key, value in sorted(version.tags.items()))


def _when(time: int) -> str:
    if not time:
        return ""
    return datetime.fromtimestamp(time / 1e9, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")

"""``runcast reproduce``: run a past run again, and compare step by step."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from runcast.catalog.texts import number, shorten, value, visible
from runcast.cli import output
from runcast.courier.started_here import is_noted
from runcast.errors import UsageError
from runcast.journal import Layout
from runcast.reproduce.engine import Outcome, Wishes, reproduce
from runcast.reproduce.past import Past, find
from runcast.reproduce.points import MetricMatch

MOST_SHOWN = 300
"""Characters of a stranger's command."""
_STDERR = 2
_SIGNS = {True: ("✓", "green"), False: ("≠", "bold red")}


def reproduce_command(
    run: Annotated[str, typer.Argument(help="Id, beginning of an id, or name.")],
    command: Annotated[
        list[str] | None, typer.Argument(help="After --: the command, instead of the recorded one.")
    ] = None,
    rtol: Annotated[float, typer.Option(min=0, help="Relative tolerance of a value; 0: exact.")] = 0.0,
    atol: Annotated[float, typer.Option(min=0, help="Absolute tolerance of a value.")] = 0.0,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Leave out metrics such as 'time/*'; may be given again.")
    ] = None,
    no_env: Annotated[
        bool, typer.Option("--no-env", help="Use this interpreter and its packages, make no environment.")
    ] = False,
    python: Annotated[str | None, typer.Option(help="Python to make the environment with.")] = None,
    package: Annotated[
        list[str] | None, typer.Option(help="NAME==VERSION to install instead of the recorded one.")
    ] = None,
    no_data: Annotated[bool, typer.Option("--no-data", help="Do not look whether data changed.")] = False,
    link: Annotated[
        list[Path] | None, typer.Option(help="File or folder of the repository that git does not know.")
    ] = None,
    repository: Annotated[Path | None, typer.Option(help="Where the repository is now.")] = None,
    code: Annotated[Path | None, typer.Option(help="Run in this folder as it is, without git.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the worktree and the environment.")] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="Also a run that you did not start here: run what its journal says."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    dir: Annotated[Path | None, typer.Option(help="runcast's folder.", show_default="configured")] = None,
) -> None:
    """Run a past run again at its commit, with its changes, packages and seeds, and compare the metrics.

    Exit code 0 where everything matches, 1 where something differs or is gone, 2 where the question is wrong.
    """
    with output.errors(), _ends_at_sigterm():
        wishes = Wishes(
            command=command or (),
            code=code,
            repository=repository,
            links=link or (),
            env=not no_env and code is None,
            python=python,
            replaced=_replaced(package or []),
            data=not no_data,
            rtol=rtol,
            atol=atol,
            ignore=ignore or (),
            keep=keep,
            stdout=_STDERR if json else None,
        )
        past = find(run, dir)
        if not trust:
            _refuse_strangers(past)
        outcome = reproduce(past, wishes, lambda line: typer.echo(visible(line), err=True))
    if json:
        output.print_json(outcome.to_dict())
    else:
        _print(outcome)
    if not outcome.ok:
        raise typer.Exit(output.FAILED)


def _refuse_strangers(past: Past) -> None:
    """A journal chooses code, packages and command, and anybody can write one."""
    if not is_noted(Layout(past.home), past.id):
        line = shorten(str(past.part("command").get("line", "")), MOST_SHOWN)
        raise UsageError(
            f"run {past.id} was not started by you, on this machine, in {past.home.resolve()}; its journal "
            f"chooses code, packages and command ({line}): where you trust it, add --trust"
        )


@contextlib.contextmanager
def _ends_at_sigterm() -> Iterator[None]:
    """A worktree must not stay behind because a scheduler wants the processor."""

    def stop(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _replaced(packages: list[str]) -> dict[str, str]:
    found = {}
    for text in packages:
        name, equal, version = text.partition("==")
        if not name or not equal or not version:
            raise UsageError(f"--package {text!r}: write NAME==VERSION")
        found[name.strip()] = version.strip()
    return found


def _print(outcome: Outcome) -> None:
    console = output.console()
    if outcome.metrics:
        columns = ["", "metric", "points", "again", "match", "first at step", "then", "now", "largest"]
        rows = [_row(metric) for metric in outcome.metrics]
        console.print(output.table(columns, rows, right=columns[2:]))
    if outcome.params:
        params = [(row.key, value(row.one), value(row.other)) for row in outcome.params]
        console.print(output.table(["param", "then", "now"], params))
    if outcome.data:
        data = [(one.name, one.state, one.detail) for one in outcome.data]
        console.print(output.table(["data", "", ""], data))
    for title, lines in (("likely causes:", outcome.causes), ("notes:", outcome.notes)):
        if lines:
            console.print(output.safe(title, "bold"))
            for line in lines:
                console.print(output.safe(f"  {line}"))
    console.print(output.safe(_verdict(outcome), "green" if outcome.ok else "bold red"))
    if outcome.kept:
        tree = f"{outcome.kept}/code"
        console.print(
            output.safe(f"kept in {outcome.kept}; remove it with: git worktree remove --force {tree}")
        )


def _row(metric: MetricMatch) -> list[Any]:
    sign, style = _SIGNS[metric.ok]
    numbers = [metric.points, metric.again, metric.matched]
    at = [] if metric.ok else [str(metric.step), _exact(metric.then), _exact(metric.now)]
    largest = number(metric.largest) if metric.largest else ""
    texts = [metric.key, *map(str, numbers), *(at or ["", "", ""]), largest]
    return [output.safe(text, style if not metric.ok or text == sign else "") for text in (sign, *texts)]


def _exact(found: Any) -> str:
    return "—" if found is None else repr(found)


def _verdict(outcome: Outcome) -> str:
    if outcome.again is None:
        return f"run {outcome.run} was not reproduced: no new run"
    good = sum(metric.ok for metric in outcome.metrics)
    what = f"{good} of {len(outcome.metrics)} metrics match" if outcome.metrics else "there are no metrics"
    verb = "reproduced" if outcome.ok else "not reproduced"
    return f"run {outcome.run} was {verb} as {outcome.again}: {what}"

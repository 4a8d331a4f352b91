"""The commands by name; only the module of the one that is called gets imported."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from importlib.util import find_spec
from typing import Annotated, Any, NamedTuple

import typer

from runcast.errors import RuncastError, UsageError
from runcast.redact import redact_text


class Command(NamedTuple):
    """Where a command is. `function` may also be a `typer.Typer` with commands of its own."""

    name: str
    module: str
    function: str
    help: str


COMMANDS = (
    Command("demo", "runcast.cli.demo", "demo_command", "Train a model and log it to four trackers at once."),
    Command("status", "runcast.cli.status", "status_command", "What is on its way, and what keeps it."),
    Command("deliver", "runcast.cli.deliver", "deliver_command", "Deliver what an earlier run left."),
    Command("runs", "runcast.cli.runs", "runs_command", "List runs."),
    Command("show", "runcast.cli.show", "show_command", "Everything about one run."),
    Command("compare", "runcast.cli.compare", "compare_command", "Runs side by side."),
    Command("diff", "runcast.cli.diff", "diff_command", "What differs between two runs, and in what."),
    Command("reproduce", "runcast.cli.reproduce", "reproduce_command", "Run a past run again, and compare."),
    Command(
        "migrate", "runcast.cli.migrate", "migrate_command", "Bring history from one tracker to another."
    ),
    Command("plan", "runcast.cli.plan", "plan_command", "What a migration would lose."),
    Command("verify", "runcast.cli.verify", "verify_command", "Compare a migration with its source."),
    Command("migrations", "runcast.cli.migrations", "migrations_command", "List what was migrated."),
    Command("rollback", "runcast.cli.migrations", "rollback_command", "Take a migration back."),
    Command("export", "runcast.cli.export", "export_command", "Runs as one file, to keep or to hand on."),
    Command("gc", "runcast.cli.gc", "gc_command", "What takes room and nothing needs; remove it."),
    Command("registry", "runcast.cli.registry", "app", "Model versions: register, promote, roll back."),
    Command("select", "runcast.cli.select", "select_command", "Which trackers fit you, and why."),
    Command("init", "runcast.cli.init", "init_command", "Write runcast.toml from a few answers."),
    Command(
        "plugins", "runcast.cli.plugins_cmd", "plugins_command", "Which plugins are installed, and work."
    ),
    Command("doctor", "runcast.cli.doctor", "doctor_command", "Every setting, its origin, and what to mend."),
)
"""In the order of the help. A command whose module is not there is left out."""


def build(called: str | None) -> typer.Typer:
    """The command line with the command `called` loaded, and the others known by name and help alone."""
    app = typer.Typer(
        name="runcast",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # its tracebacks show local variables, secrets included
        help="One training script, every experiment tracker.",
    )
    app.callback()(_options)
    for command in COMMANDS:
        if find_spec(command.module) is None:
            continue
        function: Any = _stub
        if command.name == called:
            function = getattr(importlib.import_module(command.module), command.function)
        if isinstance(function, typer.Typer):
            app.add_typer(function, name=command.name, help=command.help)
        else:
            app.command(command.name, short_help=command.help)(function)
    return app


def run(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0 well, 1 something is wrong, 2 wrongly asked."""
    given = sys.argv[1:] if arguments is None else arguments
    _settle_output()
    called = next((word for word in given if not word.startswith("-")), None)
    try:
        build(called)(given, prog_name="runcast")
    except RuncastError as error:
        typer.echo(f"error: {redact_text(str(error))}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except OSError as error:  # a full disk, behind a `>`
        with contextlib.suppress(OSError):
            typer.echo(f"error: {redact_text(str(error))}", err=True)
        _drop_output()
        sys.exit(1)


def _settle_output() -> None:
    """Have somewhere to write to; what an old terminal cannot show comes as an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever called
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123  # for as long as the process lives
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Let go of what could not be written, or Python tries again on its way out and changes the exit code."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _stub() -> None:
    """Stand in for a command that was not called."""


def _version(wanted: bool) -> None:
    if wanted:
        import runcast

        typer.echo(f"runcast {runcast.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """One training script, every experiment tracker."""

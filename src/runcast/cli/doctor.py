"""``runcast doctor``: every setting and its origin, and what is wrong with its mend."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from runcast.cli import output
from runcast.cli.doctor_checks import Line, Value, examine


def doctor_command(
    all_: Annotated[
        bool, typer.Option("--all", help="Every installed backend, not only the configured ones.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one backend may take.")] = 15.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look at Python, configuration, packages, plugins, backends and folders.

    Exit code 1 where something must be mended. Secrets are never shown.
    """
    with output.errors():
        values, lines = examine(all_, timeout)
    ok = all(line.ok for line in lines)
    if json:
        document: dict[str, Any] = {
            "ok": ok,
            "settings": [value.model_dump() for value in values],
            "findings": [line.model_dump() for line in lines],
        }
        output.print_json(document)
    else:
        _print(values, lines)
    if not ok:
        raise typer.Exit(output.FAILED)


def _print(values: list[Value], lines: list[Line]) -> None:
    console = output.console()
    settings = [(value.key, value.value, value.origin) for value in values]
    console.print(output.table(["setting", "value", "from"], settings))
    findings = [
        (
            line.section,
            output.safe("ok" if line.ok else "mend", "green" if line.ok else "bold red"),
            line.what,
            line.mend,
        )
        for line in lines
    ]
    console.print(output.table(["part", "", "seen", "mend"], findings))
    wrong = sum(not line.ok for line in lines)
    console.print(f"{wrong} to mend" if wrong else "everything is well")

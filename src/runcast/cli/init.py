"""``runcast init``: a first ``runcast.toml``, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runcast.cli import output
from runcast.cli.select import Budget, FrameworkOption, HostingOption, Needs, TeamSize, ask
from runcast.errors import UsageError

FILE = "runcast.toml"


def init_command(
    team_size: TeamSize = None,
    budget: Budget = None,
    hosting: HostingOption = None,
    framework: FrameworkOption = None,
    need: Needs = None,
    backend: Annotated[
        list[str] | None, typer.Option("--backend", help="Log to this, whatever the answers say; repeat it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=f"Replace a {FILE} that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Ask four questions, write runcast.toml here, and check it as `runcast doctor` does.

    Exit code 1 where something must be mended before the first run.
    """
    from runcast.cli.doctor_checks import examine
    from runcast.plugins.manager import backend_class
    from runcast.selector.recommend import toml

    path = Path(FILE)
    with output.errors():
        if path.exists() and not force:
            raise UsageError(f"{FILE} is there already: edit it, or replace it with --force")
        for name in backend or ():
            backend_class(name)  # an unknown one is not written down
        answer = ask(team_size, budget, hosting, framework, need, quiet=json)
        text = toml(backend, answer.profile) if backend else answer.toml
        try:
            path.write_text(text)
        except OSError as error:
            raise UsageError(
                f"{FILE} cannot be written: {error.strerror}; go to your project's folder"
            ) from error
        _, lines = examine(False, 15.0)
    wrong = [line for line in lines if not line.ok]
    if json:
        document = {
            "file": str(path.absolute()),
            "toml": text,
            "to_mend": [line.model_dump() for line in wrong],
        }
        output.print_json(document)
    else:
        console = output.console()
        console.print(output.safe(text, lines=True))
        console.print(output.safe(f"written to {path.absolute()}"))
        for line in wrong:
            console.print(output.safe(f"to mend: {line.what}; {line.mend}"))
        if not wrong:
            console.print("checked: everything is well; scripts need no more than runcast.start(...)")
    if wrong:
        raise typer.Exit(output.FAILED)

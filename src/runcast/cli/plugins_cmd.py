"""``runcast plugins``: which plugins are installed, what they offer, and what is wrong with them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from runcast.cli import output


def plugins_command(
    json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List plugins. Exit code 1 where one is broken."""
    with output.errors():
        from runcast.plugins.manager import plugins

        found = plugins()
    if json:
        output.print_json([asdict(plugin) for plugin in found])
    else:
        rows = [
            (
                plugin.name,
                f"{plugin.distribution} {plugin.version}".strip(),
                plugin.module,
                ", ".join(plugin.backends),
                output.safe(plugin.error or "ok", "red" if plugin.error else "green", most=400),
            )
            for plugin in found
        ]
        output.console().print(output.table(["plugin", "package", "module", "backends", "state"], rows))
    if any(plugin.error for plugin in found):
        raise typer.Exit(output.FAILED)

"""``python -m benchmarks [part ...]``: every part, or those that are named."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

PARTS = {
    "startup": "startup",
    "log": "log_cost",
    "outage": "outage",
    "delivery": "delivery",
    "catalog": "catalog",
    "training": "training",
    "media": "media",
    "files": "files",
    "wandb_read": "wandb_read",
    "tb_read": "tb_read",
    "mlflow_read": "mlflow_read",
    "migration": "migration",
    "long": "long",
}
"""Part → its module, whose ``rows()`` measures."""


def main() -> None:
    """Measure the parts asked for, or all, and print one table each."""
    console = Console()
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    for name in sys.argv[1:] or PARTS:
        if name not in PARTS:
            sys.exit(f"there is no part {name!r}; known: {', '.join(PARTS)}")
        table = Table("what", "measured", "bar", "", title=name, title_justify="left")
        with console.status(f"measuring {name}"):
            for row in import_module(f"benchmarks.{PARTS[name]}").rows():
                mark = "" if row.ok is None else "ok" if row.ok else "[red]over[/red]"
                table.add_row(row.what, row.figure, row.bar, mark)
        console.print(table)


if __name__ == "__main__":
    main()

"""``python -m benchmarks [part ...]``: startup, log, delivery, catalog, training, media,
mlflow_read."""

from __future__ import annotations

import os
import platform
import sys

from rich.console import Console
from rich.table import Table

from benchmarks import catalog, delivery, log_cost, media, mlflow_read, startup, training

PARTS = {
    "startup": startup.rows,
    "log": log_cost.rows,
    "delivery": delivery.rows,
    "catalog": catalog.rows,
    "training": training.rows,
    "media": media.rows,
    "mlflow_read": mlflow_read.rows,
}


def main() -> None:
    """Measure the parts asked for, or all, and print one table each."""
    console = Console()
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    for name in sys.argv[1:] or PARTS:
        table = Table("what", "measured", "bar", "", title=name, title_justify="left")
        with console.status(f"measuring {name}"):
            for row in PARTS[name]():
                mark = "" if row.ok is None else "ok" if row.ok else "[red]over[/red]"
                table.add_row(row.what, row.figure, row.bar, mark)
        console.print(table)


if __name__ == "__main__":
    main()

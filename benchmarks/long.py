"""How much memory a migration of a very long run takes: the process that reads, and each that delivers."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import tempfile
from pathlib import Path

from benchmarks.measure import Row, isolated
from benchmarks.tb_read import write_own

LONG = int(os.environ.get("RUNCAST_BENCH_LONG", "10000000"))
TAGS = 20
BAR = 200.0
"""MB."""


def _mlflow(folder: str) -> None:
    """A run of `LONG` points in MLflow's SQLite, put there by SQL: its client takes a quarter of an hour."""
    from mlflow import MlflowClient

    path = Path(folder) / "mlflow.db"
    client = MlflowClient(f"sqlite:///{path}")
    run = client.create_run("0").info.run_id
    points = (
        (f"k{number % TAGS}", number / 7, 1_700_000_000_000 + number // TAGS, run, number // TAGS, 0)
        for number in range(LONG)
    )
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma synchronous = off")
        connection.executemany(
            "insert into metrics(key, value, timestamp, run_uuid, step, is_nan) values (?, ?, ?, ?, ?, ?)",
            points,
        )
        connection.commit()


def carried(source: str, dest: str) -> tuple[float, float, float]:
    """MB of the process that reads, the most MB of one that delivers, and CPU seconds of all of them."""
    from runcast.migrate import migrate, prepare

    progress = migrate(plan := prepare(source, dest, root=Path("rc").absolute()))
    if progress.delivered != 1 or progress.points != LONG:
        raise RuntimeError(f"{progress.points} points: {plan.manifest}")
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return usages[0].ru_maxrss / 1024, usages[1].ru_maxrss / 1024, seconds


def rows() -> list[Row]:
    """Lines of the table."""
    table = []
    with tempfile.TemporaryDirectory() as base:
        write_own(f"{base}/tb", LONG)
        isolated("benchmarks.long:_mlflow", base)
        for source, dest in (
            (f"tensorboard:{base}/tb", "local:out"),
            (f"tensorboard:{base}/tb", "wandb:./wandb"),
            (f"mlflow:sqlite:///{base}/mlflow.db", "local:out"),
        ):
            reads, delivers, seconds = isolated("benchmarks.long:carried", source, dest)
            name = f"{source.partition(':')[0]} → {dest.partition(':')[0]}, {LONG:,} points"
            table.append(Row(name, f"{LONG / seconds:,.0f} points per CPU second"))
            for who, used in (("that reads", reads), ("that delivers", delivers)):
                table.append(Row(f"  memory of the process {who}", f"{used:.0f} MB", "≤ 200 MB", used <= BAR))
    return table

"""Reading histories out of MLflow's SQLite: the source's own SQL, against MLflow's client; CPU time."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from benchmarks.measure import Row, isolated

KEYS = 20
STEPS = 5_000


def reading() -> dict[str, float]:
    """Points per second of both ways over one run of `KEYS` × `STEPS` points, in one database."""
    import sqlite3

    from mlflow import MlflowClient

    from runcast.journal import Blobs
    from runcast.plugins.source import Selection
    from runcast.records import Metrics
    from runcast.sources.mlflow import MlflowSource

    path = Path("mlflow.db").absolute()
    client = MlflowClient(f"sqlite:///{path}")
    run = client.create_run("0").info.run_id
    client.log_metric(run, "k0", 0.0, timestamp=0, step=-1)
    points = [
        (f"k{key}", step / 7 + key, 1_700_000_000_000 + step, run, step, 0)
        for step in range(STEPS)
        for key in range(KEYS)
    ]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "insert into metrics(key, value, timestamp, run_uuid, step, is_nan) values (?, ?, ?, ?, ?, ?)",
            points,
        )
        connection.commit()
    began = time.process_time()
    histories = [len(client.get_metric_history(run, f"k{key}")) for key in range(KEYS)]
    by_client = sum(histories) / (time.process_time() - began)
    began = time.process_time()
    source = MlflowSource(f"sqlite:///{path}")
    (found,) = source.runs(Selection())
    records = source.read(found, Blobs(Path("blobs")))
    count = sum(len(record.values) for record in records if isinstance(record, Metrics))
    by_source = count / (time.process_time() - began)
    if count != sum(histories):
        raise RuntimeError(f"the source gave {count} points, the client {sum(histories)}")
    return {"client": by_client, "source": by_source}


def rows() -> list[Row]:
    """Lines of the table."""
    rates = isolated("benchmarks.mlflow_read:reading")
    ratio = rates["source"] / rates["client"]
    return [
        Row("MlflowClient.get_metric_history", f"{rates['client']:,.0f} points per CPU second"),
        Row(
            "mlflow: source, as records",
            f"{rates['source']:,.0f} points per CPU second = {ratio:.1f}×",
            "≥ 3×",
            ratio >= 3,
        ),
    ]

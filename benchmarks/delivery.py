"""How fast records reach each tracker, beside the best batch path of the tracker's own client."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, isolated

POINTS = 100_000
PER_RECORD = 10


def _records(points: int = POINTS) -> list[Any]:
    from runcast.records import Metrics

    now = time.time_ns()
    return [
        Metrics(
            time=now + step * 10_000_000,
            writer="0" * 16,
            seq=step + 2,
            step=step,
            values={f"train/metric{i}": step * 0.37 + i for i in range(PER_RECORD)},
        )
        for step in range(points // PER_RECORD)
    ]


def through_backend(name: str, options: dict[str, Any]) -> float:
    """Points per second of `Backend.deliver` in batches as the courier makes them."""
    from runcast.plugins.backend import OpenRun
    from runcast.plugins.manager import backend_class
    from runcast.records import RunStarted

    records = _records()
    state = Path("state").absolute()
    state.mkdir()
    kind = backend_class(name)
    backend = kind(kind.Options.model_validate(options))
    started = RunStarted(
        time=records[0].time,
        writer="0" * 16,
        seq=1,
        run="bench1",
        experiment="bench",
        name="n",
        base=str(Path.cwd()),
    )
    backend.open(OpenRun(id="bench1", started=started, folder=state, blobs=Path.cwd() / "blobs"))
    backend.deliver([started, *records[:100]])
    began = time.perf_counter()
    for start in range(100, len(records), 1000):
        backend.deliver(records[start : start + 1000])
    took = time.perf_counter() - began
    backend.close()
    return (len(records) - 100) * PER_RECORD / took


def mlflow_client(count: int = POINTS) -> float:
    """``MlflowClient.log_batch`` with full batches of 1000 metrics, on SQLite."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient("sqlite:///mlflow.db")
    run = client.create_run(client.create_experiment("bench")).info.run_id
    points = [Metric(k, v, r.time // 1_000_000, r.step) for r in _records(count) for k, v in r.values.items()]
    client.log_batch(run, metrics=points[:1000])
    began = time.perf_counter()
    for start in range(1000, len(points), 1000):
        client.log_batch(run, metrics=points[start : start + 1000])
    return (len(points) - 1000) / (time.perf_counter() - began)


def wandb_client(count: int = POINTS, each: bool = False) -> float:
    """Offline ``run.log``, one call per row, or for `each` value: the client has no batch path."""
    import wandb

    run = wandb.init(
        project="bench", mode="offline", settings=wandb.Settings(console="off", x_disable_stats=True)
    )
    records = _records(count)
    began = time.perf_counter()
    for record in records:
        for values in [{key: value} for key, value in record.values.items()] if each else [record.values]:
            run.log(values, step=record.step)
    run.finish()
    took = time.perf_counter() - began
    wandb.teardown()
    return count / took


def summary_writer(count: int = POINTS) -> float:
    """torch's ``SummaryWriter``, flushed at the end."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter("tb")
    records = _records(count)
    began = time.perf_counter()
    for record in records:
        for key, value in record.values.items():
            writer.add_scalar(key, value, record.step, record.time / 1e9)
    writer.close()
    return count / (time.perf_counter() - began)


def rows() -> list[Row]:
    """Lines of the table."""
    here = "benchmarks.delivery:"
    table = []
    rate = isolated(here + "through_backend", "tensorboard", {})
    other = isolated(here + "summary_writer")
    table.append(Row("TensorBoard", f"{rate:,.0f} points/s", "≥ 100,000", rate >= 100_000))
    table.append(Row("  ÷ torch SummaryWriter", f"{rate / other:.1f} x"))
    for name, options, native in (
        ("mlflow", {}, "mlflow_client"),
        ("wandb", {"mode": "offline"}, "wandb_client"),
    ):
        rate = isolated(here + "through_backend", name, options)
        other = isolated(here + native)
        table.append(Row(name, f"{rate:,.0f} points/s"))
        table.append(Row("  ÷ its own client", f"{rate / other:.2f} x", "≥ 0.90 x", rate / other >= 0.9))
    rate = isolated(here + "through_backend", "local", {})
    table.append(Row("local", f"{rate:,.0f} points/s"))
    return table

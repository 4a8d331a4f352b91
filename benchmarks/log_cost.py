"""What one ``run.log`` costs the training thread, beside the bare system call and the native clients."""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec

from benchmarks.measure import ALL, Row, isolated, medians


def _values(count: int) -> dict[str, float]:
    return {f"train/metric{i}": 0.1234567 + i for i in range(count)}


def runcast_and_bare(count: int) -> dict[str, tuple[float, float]]:
    """`run.log` with every backend on, and a bare encode + write of as many bytes, in turns."""
    import runcast

    class Bare(msgspec.Struct, tag="metrics", tag_field="kind"):
        step: int
        values: dict[str, Any]
        time: int

    values = _values(count)
    encode = msgspec.json.Encoder().encode
    file = os.open("bare.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    line = bytes(36) + encode(Bare(0, values, time.time_ns()))  # as long as a framed line

    def bare(step: int) -> None:
        encode(Bare(step, values, time.time_ns()))
        os.write(file, line)

    with runcast.start("bench", backends=ALL, config={"wandb": {"mode": "offline"}}) as run:
        result = medians(
            {
                "runcast": lambda step: run.log(values, step=step),
                "bare": bare,
            },
            20_000,
        )
        run.finish(timeout=0)
    return result


def wandb(count: int) -> dict[str, tuple[float, float]]:
    """Offline ``wandb.log``."""
    import wandb

    values = _values(count)
    run = wandb.init(
        project="bench", mode="offline", settings=wandb.Settings(console="off", x_disable_stats=True)
    )
    result = medians({"wandb": lambda step: run.log(values, step=step)}, 5_000)
    run.finish()
    return result


def tensorboard(count: int) -> dict[str, tuple[float, float]]:
    """torch's ``SummaryWriter.add_scalar``, once per metric."""
    from torch.utils.tensorboard import SummaryWriter

    values = _values(count)
    writer = SummaryWriter("tb")

    def add(step: int) -> None:
        for key, value in values.items():
            writer.add_scalar(key, value, step)

    return medians({"tensorboard": add}, 5_000)


def mlflow(count: int) -> dict[str, tuple[float, float]]:
    """``mlflow.log_metric`` (``log_metrics`` for several) on SQLite."""
    import mlflow

    values = _values(count)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    with mlflow.start_run():
        if count == 1:
            ((key, value),) = values.items()
            return medians({"mlflow": lambda step: mlflow.log_metric(key, value, step=step)}, 300)
        return medians({"mlflow": lambda step: mlflow.log_metrics(values, step=step)}, 300)


def rows() -> list[Row]:
    """Lines of the table."""
    table = []
    for count, limit in ((1, 5.0), (10, 8.0)):
        both = isolated("benchmarks.log_cost:runcast_and_bare", count)
        (ours, p99), (bare, _) = both["runcast"], both["bare"]
        name = f"run.log of {count} metric{'s' * (count > 1)}, 4 backends on"
        table.append(Row(name, f"{ours:.2f} µs (p99 {p99:.1f})", f"≤ {limit:g} µs", ours <= limit))
        if count == 1:
            table.append(
                Row("  ÷ bare encode + write", f"{ours / bare:.2f} x", "≤ 2.5 x", ours / bare <= 2.5)
            )
        else:
            table.append(Row("  ÷ bare encode + write", f"{ours / bare:.2f} x"))
        for other, least in (("wandb", 10), ("tensorboard", 10), ("mlflow", 200)):
            theirs, _ = isolated(f"benchmarks.log_cost:{other}", count)[other]
            ratio = theirs / ours
            bar = f"≥ {least} x" if count == 1 or other == "mlflow" else ""
            table.append(
                Row(
                    f"  {other}'s own call",
                    f"{theirs:.1f} µs = {ratio:.0f} x",
                    bar,
                    ratio >= least if bar else None,
                )
            )
    return table

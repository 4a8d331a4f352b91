"""How fast W&B's own file becomes records: as runcast wrote it, and as W&B's client did. In CPU seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, isolated

ROWS = 50_000
CLIENT_ROWS = 20_000


def _read(folder: Path) -> tuple[int, float]:
    """Rows, and rows per CPU second, the best of three readings."""
    from runcast.journal import Blobs
    from runcast.plugins.source import Selection
    from runcast.records import Metrics
    from runcast.sources.wandb import WandbSource

    source = WandbSource(str(folder))
    [found] = source.runs(Selection())
    best = 0.0
    for _ in range(3):
        began = time.process_time()
        count = sum(isinstance(record, Metrics) for record in source.read(found, Blobs(Path("blobs"))))
        best = max(best, count / (time.process_time() - began))
    return count, best


def own(metrics: int) -> float:
    """Rows per CPU second of a log that runcast's backend wrote."""
    from runcast.plugins.backend import OpenRun
    from runcast.plugins.manager import backend_class
    from runcast.records import Metrics, RunFinished, RunStarted

    kind = backend_class("wandb")
    backend = kind(kind.Options.model_validate({"mode": "offline"}))
    now = time.time_ns()
    Path("state").mkdir()
    started = RunStarted(time=now, run="bench1", experiment="bench", name="n", base=str(Path.cwd()))
    backend.open(OpenRun(id="bench1", started=started, folder=Path("state"), blobs=Path("blobs")))
    backend.deliver([started])
    for first in range(0, ROWS, 1000):
        batch: list[Any] = [
            Metrics(
                time=now + step * 10_000_001,
                step=step,
                values={f"train/metric{n}": step * 0.37 + n for n in range(metrics)},
            )
            for step in range(first, first + 1000)
        ]
        backend.deliver(batch)
    backend.deliver([RunFinished(time=time.time_ns(), status="finished")])
    backend.close()
    count, rate = _read(Path("wandb"))
    assert count == ROWS  # a rate of a wrong reading is none
    return rate


def client(metrics: int) -> float:
    """Rows per CPU second of a log that W&B's client wrote."""
    import wandb

    settings = wandb.Settings(console="off", x_disable_stats=True, silent=True)
    run = wandb.init(project="bench", mode="offline", settings=settings)
    for step in range(CLIENT_ROWS):
        run.log({f"train/metric{n}": step / 7 + n for n in range(metrics)}, step=step)
    run.finish()
    wandb.teardown()
    return _read(Path("wandb"))[1]


def rows() -> list[Row]:
    """Lines of the table."""
    table = []
    for who, function in (("runcast's", "own"), ("W&B's client's", "client")):
        for metrics in (1, 10):
            rate = isolated(f"benchmarks.wandb_read:{function}", metrics)
            bar, ok = ("≥ 50,000", rate >= 50_000) if metrics == 1 else ("", None)
            table.append(Row(f"{who} log, {metrics} per row", f"{rate:,.0f} rows/s", bar, ok))
    return table

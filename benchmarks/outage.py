"""What one ``run.log`` costs while no tracker works: hung, dead, refusing and blocked, all at once."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import ALL, Row, isolated

CALLS = 20_000
PACE = 0.0005
"""Seconds between two calls: long enough that the courier and its workers have their turns."""


@contextlib.contextmanager
def _broken() -> Iterator[dict[str, dict[str, str]]]:
    """Options of four trackers of which none works."""
    with socket.create_server(("127.0.0.1", 0)) as hung, socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"http://127.0.0.1:{gone.getsockname()[1]}"
        gone.close()  # nobody listens there any more
        Path("blocked").write_text("a file where a folder should be")
        catalog = sqlite3.connect("busy.db", isolation_level=None)
        catalog.execute("BEGIN EXCLUSIVE")
        try:
            yield {
                "mlflow": {"uri": f"http://127.0.0.1:{hung.getsockname()[1]}"},  # connects, never answers
                "wandb": {"mode": "online", "base_url": dead},
                "tensorboard": {"logdir": "blocked"},
                "local": {"path": "busy.db"},
            }
        finally:
            catalog.close()


def log_times() -> dict[str, Any]:
    """Quantiles of `run.log` in µs, and how many calls raised."""
    import runcast

    os.environ["WANDB_API_KEY"] = "0" * 40
    times: list[int] = []
    raised = 0
    clock = time.perf_counter_ns
    with _broken() as config:
        run = runcast.start("outage", backends=ALL, config=config)
        for step in range(CALLS):
            began = clock()
            try:
                run.log({"loss": 0.1 + step}, step=step)
            except Exception:
                raised += 1
            times.append(clock() - began)
            time.sleep(PACE)
        delivered = {backend.backend: backend.records for backend in run.report().backends}
        run.finish(timeout=0)
    cuts = statistics.quantiles(times, n=1000)
    return {
        "median": statistics.median(times) / 1e3,
        "p999": cuts[998] / 1e3,
        "max": max(times) / 1e3,
        "raised": raised,
        "delivered": delivered,
    }


def rows() -> list[Row]:
    """Lines of the table."""
    found = isolated("benchmarks.outage:log_times")
    p999 = found["p999"] / 1e3
    return [
        Row(f"run.log, p99.9 of {CALLS:,} calls", f"{p999:.2f} ms", "≤ 5 ms", p999 <= 5.0),
        Row("  median", f"{found['median']:.1f} µs"),
        Row("  slowest", f"{found['max'] / 1e3:.1f} ms"),
        Row("  exceptions in the script", f"{found['raised']:.0f}", "0", not found["raised"]),
        Row("  records acknowledged meanwhile", ", ".join(f"{k} {n}" for k, n in found["delivered"].items())),
    ]

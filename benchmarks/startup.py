"""What importing runcast and starting a run cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Row, isolated

CONFIG = """
backends = ["mlflow", "wandb", "tensorboard", "local"]
[mlflow]
uri = "sqlite:///mlflow.db"
[wandb]
mode = "offline"
[tensorboard]
logdir = "runs"
"""


def start_times() -> list[float]:
    """Five starts in a fresh process, ms each, in an ordinary project with four configured backends."""
    Path("runcast.toml").write_text(CONFIG)
    import runcast

    times, runs = [], []
    for number in range(5):
        began = time.perf_counter()
        runs.append(runcast.start("bench", name=f"n{number}", params={"lr": 0.1}))
        times.append((time.perf_counter() - began) * 1e3)
    for run in runs:  # and wait, so that no courier is at work when the next process is timed
        run.finish(timeout=60)
    return times


def _wall(code: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def rows() -> list[Row]:
    """Lines of the table."""
    cost = _wall("import runcast") - _wall("pass")
    heavy = "mlflow wandb tensorboard numpy torch pydantic rich typer"
    code = f"import runcast, sys; print(*[m for m in {heavy.split()!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as cache:
        environment = {"XDG_CACHE_HOME": os.path.realpath(cache)}
        folder = str(Path(cache) / "project")  # the same one, as a project is
        cold = isolated("benchmarks.startup:start_times", folder=folder, **environment)
        rounds = [isolated("benchmarks.startup:start_times", folder=folder, **environment) for _ in range(5)]
    first = statistics.median(times[0] for times in rounds)
    later = statistics.median(time for times in rounds for time in times[1:])
    return [
        Row("import runcast", f"{cost * 1e3:.0f} ms", "≤ 100 ms", cost <= 0.1),
        Row("  heavy modules imported by it", found or "none", "none", not found),
        Row("first start of a process", f"{first:.1f} ms", "≤ 30 ms", first <= 30),
        Row("  later starts of a process", f"{later:.1f} ms", "≤ 30 ms", later <= 30),
        Row("  the very first, after the settings changed", f"{cold[0]:.0f} ms"),
    ]

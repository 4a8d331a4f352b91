"""What importing runcast and starting a run cost."""

from __future__ import annotations

import os
import resource
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


def start_times() -> list[tuple[float, float]]:
    """Five starts in a fresh process, in an ordinary project with four configured backends.

    Returns:
        Of each, ms by the clock and ms of the training thread's own CPU time.
    """
    Path("runcast.toml").write_text(CONFIG)
    import runcast

    times, runs = [], []
    for number in range(5):
        began, used = time.perf_counter(), time.thread_time()
        runs.append(runcast.start("bench", name=f"n{number}", params={"lr": 0.1}))
        times.append(((time.perf_counter() - began) * 1e3, (time.thread_time() - used) * 1e3))
    for run in runs:  # and wait, so that no courier is at work when the next process is timed
        run.finish(timeout=60)
    return times


def _python(code: str) -> tuple[float, float]:
    """A fresh interpreter: median seconds by the clock, and the least CPU time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times, used = [], []
    for _ in range(15):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(time.perf_counter() - began)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times[2:]), min(used)


def rows() -> list[Row]:
    """Lines of the table."""
    (ours, our_cpu), (bare, bare_cpu) = _python("import runcast"), _python("pass")
    cost = ours - bare
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
    first, first_cpu = (
        statistics.median(column) for column in zip(*(times[0] for times in rounds), strict=True)
    )
    later, later_cpu = (
        statistics.median(column)
        for column in zip(*(one for times in rounds for one in times[1:]), strict=True)
    )
    return [
        Row("import runcast", f"{cost * 1e3:.0f} ms", "≤ 100 ms", cost <= 0.1),
        Row("  CPU time of it", f"{(our_cpu - bare_cpu) * 1e3:.0f} ms"),
        Row("  heavy modules imported by it", found or "none", "none", not found),
        Row("first start of a process", f"{first:.1f} ms", "≤ 30 ms", first <= 30),
        Row("  CPU time of it", f"{first_cpu:.1f} ms"),
        Row("  later starts of a process", f"{later:.1f} ms, CPU {later_cpu:.1f}", "≤ 30 ms", later <= 30),
        Row("  the very first, after the settings changed", f"{cold[0][0]:.0f} ms, CPU {cold[0][1]:.0f}"),
    ]

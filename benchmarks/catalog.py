"""How long it takes to list ten thousand runs, the start of the interpreter included."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Row, isolated

RUNS = 10_000
POINTS = 3


def listing() -> dict[str, float]:
    """Median seconds of ``runcast runs`` over a catalog of `RUNS` runs, by kind of question."""
    from runcast import catalog, codec
    from runcast.journal import JournalWriter, Layout
    from runcast.records import Metrics, Params, RunFinished, RunStarted

    layout = Layout(Path(".runcast").absolute())
    now = time.time_ns()
    for number in range(RUNS):
        run = f"{number:016x}"
        writer = JournalWriter(layout.journal(run), run)
        started = RunStarted(time=now + number, run=run, experiment=f"e{number % 20}", name=f"n{number}")
        writer.append(codec.encode(started))
        writer.append(codec.encode(Params(time=now, values={"lr": number / 1e4, "depth": number % 9})))
        for step in range(POINTS):
            values = {"train/loss": 1 / (step + 1), "val/acc": number / RUNS}
            writer.append(codec.encode(Metrics(time=now, step=step, values=values)))
        writer.append(codec.encode(RunFinished(time=now + number + 1, status="finished")))
        writer.close()
    catalog.rebuild(layout.root)
    return {
        "the newest 50": _median(["--limit", "50"]),
        "all of them as JSON": _median(["--json"]),
        "the best 10 of a filter": _median(
            [
                "--where",
                "metrics.val/acc > 0.5 and params.depth = 3",
                "--sort=-metrics.val/acc",
                "--limit",
                "10",
            ]
        ),
    }


def _median(arguments: list[str]) -> float:
    command = [str(Path(sys.executable).with_name("runcast")), "runs", *arguments]
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def rows() -> list[Row]:
    """Lines of the table."""
    return [
        Row(f"runcast runs, {RUNS:,} runs: {what}", f"{seconds:.2f} s", "≤ 0.5 s", seconds <= 0.5)
        for what, seconds in isolated("benchmarks.catalog:listing").items()
    ]

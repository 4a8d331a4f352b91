"""How fast history moves from end to end, beside the destination's own client, and in how much memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, isolated
from runcast.journal import Blobs, Layout, ProcessLock
from runcast.migrate import migrate, prepare
from runcast.migrate.stage import stage
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Metrics, Record, RunFinished, RunStarted

POINTS = 100_000
PER_RECORD = 10
LONG = 10_000_000


class Made(Source):
    """One run of as many points as the address says, made on the way."""

    name = "made"

    @property
    def identity(self) -> str:
        """It is always the same."""
        return self.address

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """The one run."""
        yield FoundRun(id="long", experiment="bench", name="long")

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """Ten values a record, a step each 10 ms."""
        now = 1_700_000_000_000_000_000
        yield RunStarted(time=now, run="", experiment="bench", name="long", origin={"tracker": "made"})
        names = [f"train/metric{i}" for i in range(PER_RECORD)]
        for step in range(int(self.address) // PER_RECORD):
            values = {name: step * 0.37 + i for i, name in enumerate(names)}
            yield Metrics(time=now + step * 10_000_000, step=step, values=values)
        yield RunFinished(time=now + 1, status="finished")


def staged(points: int, times: int) -> tuple[float, float]:
    """Points a second into a journal, and the largest MB of memory; the last of `times` readings counts."""
    layout, source = Layout("rc"), Made(str(points))
    lock = ProcessLock(layout.alive)
    (run,) = source.runs(Selection())
    for _ in range(times):
        began = time.perf_counter()
        stage(layout, source, run, process=lock.name)
        took = time.perf_counter() - began
    lock.release()
    return points / took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def end_to_end(dest: str) -> float:
    """Points a second from a folder of journals into a tracker, the start of all processes included."""
    layout, source = Layout("source"), Made(str(POINTS))
    lock = ProcessLock(layout.alive)
    (run,) = source.runs(Selection())
    stage(layout, source, run, process=lock.name)
    lock.release()
    plan = prepare("local:source", dest, root=Path("rc").absolute())
    began = time.perf_counter()
    progress = migrate(plan)
    took = time.perf_counter() - began
    if progress.delivered != 1:
        raise RuntimeError(str(plan.manifest))
    return POINTS / took


def rows() -> list[Row]:
    """Lines of the table."""
    here, client = "benchmarks.migration:", "benchmarks.delivery:"
    rate, memory = isolated(here + "staged", LONG, 1)
    table = [
        Row("source → journal, 10 M points", f"{rate:,.0f} points/s"),
        Row("  its memory", f"{memory:.0f} MB", "≤ 200 MB", memory <= 200),
    ]
    again, _ = isolated(here + "staged", LONG // 10, 2)
    table.append(Row("  again, nothing new, 1 M points", f"{again:,.0f} points/s"))
    for dest, native, bar in (
        ("mlflow:sqlite:///mlflow.db", "mlflow_client", 1.0),
        ("wandb:./wandb", "wandb_client", 10.0),
        ("tensorboard:./tb", "summary_writer", 1.0),
    ):
        name = dest.partition(":")[0]
        rate, other = isolated(here + "end_to_end", dest), isolated(client + native)
        table.append(Row(f"journal → {name}, end to end", f"{rate:,.0f} points/s"))
        ratio = rate / other
        table.append(Row("  ÷ its own client", f"{ratio:.2f} x", f"≥ {bar:.0f} x", ratio >= bar))
    return table

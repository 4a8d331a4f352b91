"""How fast history moves from end to end, beside the destination's own client; CPU seconds of all processes.

Both sides count from the start of their interpreter, imports, a new database and a new run included. What a
further point costs is the difference between two sizes.
"""

from __future__ import annotations

import contextlib
import functools
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import tb_read
from benchmarks.measure import Row, cpu, isolated
from runcast.journal import Blobs, Layout, ProcessLock
from runcast.migrate import migrate, prepare
from runcast.migrate.stage import stage
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Metrics, Record, RunFinished, RunStarted

PER_RECORD = 10
MANY, LONG = 1_000_000, 10_000_000
FEW, SMALL = 20, 300
SIZES = {
    "local → wandb": (100_000, 1_000_000),
    "tensorboard → wandb": (100_000, 1_000_000),
    "tensorboard → mlflow": (20_000, 100_000),
    "local → tensorboard": (100_000, 300_000),
}
"""Points of one run, fewer and more."""
DESTS = {"wandb": "wandb:./wandb", "mlflow": "mlflow:sqlite:///mlflow.db", "tensorboard": "tensorboard:./out"}
CLIENTS = {"wandb": "wandb_client", "mlflow": "mlflow_client", "tensorboard": "summary_writer"}
BARS = {"wandb": 10.0, "mlflow": 1.0, "tensorboard": 1.0}
_HERE = "benchmarks.migration:"


class Made(Source):
    """Runs, made on the way; the address: how many points one has, and how many there are after an ``x``."""

    name = "made"

    @property
    def identity(self) -> str:
        """It is always the same."""
        return self.address

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """Each run."""
        for number in range(int(self.address.partition("x")[2] or 1)):
            yield FoundRun(id=f"run{number}", experiment="bench", name=f"run {number}")

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """Ten values a record, a step each 10 ms."""
        now = 1_700_000_000_000_000_000
        yield RunStarted(time=now, run="", experiment="bench", name=run.name, origin={"tracker": "made"})
        names = [f"train/metric{i}" for i in range(PER_RECORD)]
        for step in range(int(self.address.partition("x")[0]) // PER_RECORD):
            values = {name: step * 0.37 + i for i, name in enumerate(names)}
            yield Metrics(time=now + step * 10_000_000, step=step, values=values)
        yield RunFinished(time=now + 1, status="finished")


def staged(points: int, times: int, root: str = "rc", runs: int = 1) -> tuple[float, float]:
    """Points a CPU second into journals, the last of `times` readings; and the most MB of memory."""
    layout, source = Layout(root), Made(f"{points}x{runs}")
    lock = ProcessLock(layout.alive)
    for _ in range(times):
        began = time.process_time()
        for run in source.runs(Selection()):
            stage(layout, source, run, process=lock.name)
        took = time.process_time() - began
    lock.release()
    return points * runs / took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def carried(source: str, dest: str) -> int:
    """Migrate every run; gives their points."""
    progress = migrate(plan := prepare(source, dest, root=Path("rc").absolute()))
    if progress.delivered != progress.runs:
        raise RuntimeError(str(plan.manifest))
    return progress.points


def inserted(points: int) -> int:
    """The same rows put into MLflow's tables by SQL, which is no interface of MLflow's: the bound."""
    from mlflow import MlflowClient

    client = MlflowClient("sqlite:///mlflow.db")
    run = client.create_run(client.create_experiment("bench")).info.run_id
    values = (
        (f"train/metric{n % tb_read.TAGS}", n * 0.37, 1_700_000_000_000 + n, run, n // tb_read.TAGS, 0)
        for n in range(points)
    )
    with contextlib.closing(sqlite3.connect("mlflow.db")) as connection:
        connection.executemany(
            "insert or ignore into metrics(key, value, timestamp, run_uuid, step, is_nan) "
            "values (?, ?, ?, ?, ?, ?)",
            values,
        )
        connection.commit()
    return points


def _source(kind: str, base: str, points: int) -> str:
    """Address of a run of so many points, made where there is none yet."""
    place = f"{base}/{kind}{points}"
    if not Path(place).exists():
        if kind == "local":
            isolated(_HERE + "staged", points, 1, place)
        else:
            tb_read.write(place, points)
    return f"{kind}:{place}"


@functools.cache
def _least(function: str, points: int, *arguments: str) -> float:
    """CPU seconds; the better of two where it does not take minutes."""
    given = arguments or (points,)
    return min(cpu(function, *given) for _ in range(2 if points <= 100_000 else 1))


def _against(pair: str, base: str) -> Iterator[Row]:
    """One direction beside the destination's client, for two sizes."""
    kind, _, dest = pair.partition(" → ")
    client, bar = "benchmarks.delivery:" + CLIENTS[dest], BARS[dest]
    replayed = pair == "tensorboard → wandb"
    ours, theirs = [], []
    for points in SIZES[pair]:
        source = _source(kind, base, points)
        ours.append(_least(_HERE + "carried", points, source, DESTS[dest]))
        theirs.append(_least(client, points))
        ratio = theirs[-1] / ours[-1]
        yield Row(f"{pair}, {points:,} points", f"{points / ours[-1]:,.0f} points per CPU second")
        if not replayed:
            yield Row("  ÷ its own client", f"{ratio:.2f} x", f"≥ {bar:.0f} x", ratio >= bar)
            continue
        yield Row("  ÷ its own client, ten values a call", f"{ratio:.2f} x")
        if points == SIZES[pair][0]:  # an event is a call; a million of them would take four minutes
            ratio = cpu(client, points, True) / ours[-1]
            yield Row("  ÷ its own client, a call an event", f"{ratio:.2f} x", f"≥ {bar:.0f} x", ratio >= bar)
    few, many = SIZES[pair]
    each, other = ((total[1] - total[0]) / (many - few) for total in (ours, theirs))
    yield Row("  a further point", f"{each * 1e6:.1f} µs, {other / each:.1f} x less than its own client")
    if dest == "mlflow":
        start, whole = (_least(_HERE + "inserted", points) for points in (few, many))
        bound = max(1e-7, (whole - start) / (many - few))
        yield Row(
            "  a further point by SQL alone", f"{bound * 1e6:.1f} µs, {each / bound:.0f} x less than ours"
        )


def _small(base: str) -> Iterator[Row]:
    """A team's history: many runs of a few points each."""
    isolated(_HERE + "staged", FEW, 1, f"{base}/small", SMALL)
    for dest in (*DESTS.values(), "local:there"):
        each = cpu(_HERE + "carried", f"local:{base}/small", dest) / SMALL
        yield Row(
            f"{SMALL} runs of {FEW} points, local → {dest.partition(':')[0]}", f"{each * 1e3:.0f} ms a run"
        )


def rows() -> Iterator[Row]:
    """Lines of the table."""
    with tempfile.TemporaryDirectory() as base:
        for pair in SIZES:
            yield from _against(pair, base)
        yield from _small(base)
    again, _ = isolated(_HERE + "staged", MANY, 2)
    yield Row("a source read again, nothing new, 1 M points", f"{again:,.0f} points per CPU second")
    rate, memory = isolated(_HERE + "staged", LONG, 1)
    yield Row("source → journal, 10 M points", f"{rate:,.0f} points per CPU second")
    yield Row("  its memory", f"{memory:.0f} MB", "≤ 200 MB", memory <= 200)

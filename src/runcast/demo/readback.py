"""Read one run back from each tracker with that tracker's own tools, and compare.

Nothing here goes through runcast's backends: MLflow answers through its client, W&B through the real
client's ``wandb leet inspect``, TensorBoard through its event reader, local through SQLite.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runcast.journal import Layout, read_run
from runcast.receipts import Ref
from runcast.records import Metrics, Params, RunFinished
from runcast.run import Run

Series = dict[str, list[tuple[int, float]]]
"""Metric → (step, value) in order of steps."""

SYSTEM = ("system/", "~system/")
"""What names of the machine's own metrics begin with, in trackers that have one list for all."""


class Seen(BaseModel):
    """What one tracker shows of the run: its own word for the status, params, and points."""

    status: str
    params: int
    series: Series


class Verdict(BaseModel):
    """One tracker against the journal."""

    backend: str
    points: int
    params: int
    status: str
    differences: list[str]


class Comparison(BaseModel):
    """All trackers against the journal."""

    points: int
    params: int
    verdicts: list[Verdict]

    @property
    def same(self) -> bool:
        """Whether every tracker holds the same run."""
        return not any(verdict.differences for verdict in self.verdicts)

    def lines(self) -> list[str]:
        """For people."""
        lines = [
            f"{verdict.backend}: {verdict.points} points, {verdict.params} params, {verdict.status}"
            + "".join(f"\n  differs: {difference}" for difference in verdict.differences[:5])
            for verdict in self.verdicts
        ]
        names = ", ".join(verdict.backend for verdict in self.verdicts)
        verdict = "hold the same run" if self.same else "do NOT hold the same run"
        return [*lines, f"Read back from each with its own tools: {names} {verdict}."]


def compare(folder: Path, run: Run) -> Comparison:
    """Read the demo's run back from everywhere.

    Args:
        folder: the demo's folder.
        run: the finished run.
    """
    said: Series = {}
    params = 0
    status = ""
    for record in read_run(Layout(folder / ".runcast").run(run.id)):
        if isinstance(record, Metrics):
            for key, value in record.values.items():
                said.setdefault(key, []).append((record.step, float(value)))
        elif isinstance(record, Params):
            params += len(record.values)
        elif isinstance(record, RunFinished):
            status = record.status
    refs = run.refs
    readers: dict[str, Callable[[Path, Ref], Seen]] = {
        "mlflow": _mlflow,
        "wandb": _wandb,
        "tensorboard": _tensorboard,
        "local": _local,
    }
    verdicts = [
        _verdict(name, said, params, status, read(folder, refs[name]) if name in refs else None)
        for name, read in readers.items()
    ]
    return Comparison(points=sum(map(len, said.values())), params=params, verdicts=verdicts)


def _verdict(name: str, said: Series, params: int, status: str, seen: Seen | None) -> Verdict:
    if seen is None:
        return Verdict(
            backend=name, points=0, params=0, status="missing", differences=["the run is not there"]
        )
    differences = []
    if seen.params != params:
        differences.append(f"{seen.params} params instead of {params}")
    if seen.status != status:
        differences.append(f"status {seen.status} instead of {status}")
    for key in sorted(said.keys() | seen.series.keys()):
        expected = said.get(key, [])
        if name == "tensorboard":  # its own reader shows 32 bits; ours restores all 64
            expected = [(step, _float32(value)) for step, value in expected]
        if seen.series.get(key, []) != expected:
            differences.append(
                f"{key}: {len(seen.series.get(key, []))} points instead of {len(expected)}, or others"
            )
    points = sum(map(len, seen.series.values()))
    return Verdict(
        backend=name, points=points, params=seen.params, status=seen.status, differences=differences
    )


def _mlflow(folder: Path, ref: Ref) -> Seen:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    run = client.get_run(ref.id)
    series = {
        key: sorted((point.step, point.value) for point in client.get_metric_history(ref.id, key))
        for key in run.data.metrics
        if not key.startswith(SYSTEM)
    }
    return Seen(status=run.info.status.lower(), params=len(run.data.params), series=series)


def _wandb(folder: Path, ref: Ref) -> Seen:
    (log,) = Path(ref.url).glob("*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", str(log), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    series: Series = {}
    config: dict[str, Any] = {}
    status = "running"
    for line in answer.splitlines():
        record = json.loads(line)
        if record["type"] == "history":
            row = record["history"]["item"]
            for key, value in row.items():
                if not key.startswith("_") and isinstance(value, (int, float)):
                    series.setdefault(key, []).append((row["_step"], float(value)))
        elif record["type"] == "run":
            config |= record["run"].get("config", {}).get("update", {})
        elif record["type"] == "config":
            config |= record["config"].get("update", {})
        elif record["type"] == "exit":
            status = "failed" if record["exit"].get("exit_code") else "finished"
    own = [key for key in config if not key.startswith(("_wandb", "runcast"))]
    return Seen(status=status, params=len(own), series=series)


def _tensorboard(folder: Path, ref: Ref) -> Seen:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import (
        SESSION_END_INFO_TAG,
        SESSION_START_INFO_TAG,
        parse_session_end_info_plugin_data,
        parse_session_start_info_plugin_data,
    )

    events = EventAccumulator(ref.url, size_guidance={"scalars": 0})
    events.Reload()
    series = {
        key: [(event.step, event.value) for event in events.Scalars(key)]
        for key in events.Tags()["scalars"]
        if not key.startswith(SYSTEM)
    }
    hparams = events.PluginTagToContent("hparams")
    start = parse_session_start_info_plugin_data(hparams[SESSION_START_INFO_TAG])
    end = parse_session_end_info_plugin_data(hparams[SESSION_END_INFO_TAG])
    status = {1: "finished", 2: "failed", 3: "running"}.get(end.status, "unknown")
    return Seen(status=status, params=len(start.hparams), series=series)


def _local(folder: Path, ref: Ref) -> Seen:
    connection = sqlite3.connect(f"file:{folder / '.runcast' / 'catalog.db'}?mode=ro", uri=True)
    try:
        ((number, status),) = connection.execute("select n, status from runs where id = ?", (ref.id,))
        ((params,),) = connection.execute("select count(*) from params where run = ?", (number,))
    finally:
        connection.close()
    from runcast.catalog import run

    found = run(ref.id, dir=folder / ".runcast")
    series = {
        key: [(step, float(value)) for step, _, value in found.history(key)[key]] for key in found.metrics
    }
    return Seen(status=status, params=params, series=series)


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])

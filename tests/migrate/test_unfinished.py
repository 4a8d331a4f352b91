"""Runs that go on, or were killed and never said so: all of them is there, and verified, at each stop."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from runcast.migrate.verify import verify
from runcast.records import Media, Metrics, Record, System

from .toy import Toy, a_run, bring


def going_on(points: int) -> list[Record]:
    """A run without an end: numbers of all kinds, a point twice, a look at the machine, text."""
    records = a_run(points=points)[:-1]
    twice = [r for r in records if isinstance(r, Metrics)][2]
    look = System(time=twice.time + 1, values={"cpu/percent": 12.5})
    odd = Metrics(time=twice.time + 500, step=70, values={"x": -math.inf, "huge": 2**60 + 1})
    text = Media(time=twice.time + 501, key="said", step=70, type="text", text="hello")
    return [*records[:5], look, *records[5:], twice, odd, text]


@pytest.mark.slow
@pytest.mark.parametrize(
    "dest", ["wandb:./wandb", "tensorboard:./tb", "mlflow:sqlite:///m.db", "local:there"]
)
def test_the_last_step_of_a_run_without_an_end_arrives(toy: Toy, tmp_path: Path, dest: str) -> None:
    """Nothing of it waits for an end that may never come; when it goes on, only what is new is added."""
    for records in (going_on(4), going_on(6), [*going_on(6), a_run()[-1]]):
        toy.runs_ = {"a": records}
        plan, progress = bring(dest)
        assert (progress.delivered, progress.failed) == (1, 0)
        assert [(r.problem, r.differences) for r in verify(plan)] == [("", [])]
    if dest.startswith("wandb"):
        (log,) = tmp_path.glob("wandb/*/run-*.wandb")
        command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", log.parent, "--json"]
        lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
        rows = [r["history"]["item"] for r in map(json.loads, lines) if r["type"] == "history"]
        assert [row["n"] for row in rows if "n" in row] == [0, 1, 2, 3, 2, 4, 5]

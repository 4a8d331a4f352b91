"""Whole histories by the command line: 1,200 runs, and a file store on which MLflow's own migration dies."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .test_native import MS, state

pytestmark = pytest.mark.slow
RUNS = 1200


def command(*arguments: str, name: str = "runcast", code: int = 0) -> str:
    """What a command beside this interpreter says; its folder is the current one."""
    program = Path(sys.executable).with_name(name)
    environment = {**os.environ, "RUNCAST_DIR": str(Path("rc").absolute()), "WANDB_DIR": str(Path.cwd())}
    done = subprocess.run([program, *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr if name == "wandb" else done.stdout


def many(path: Path) -> None:
    """Write `RUNS` runs into an empty database of MLflow's: a param, and two points of one metric."""
    runs: dict[str, list[tuple[Any, ...]]] = {"runs": [], "params": [], "metrics": [], "tags": []}
    for number in range(RUNS):
        id_, start = f"{number:032x}", MS + 1000 * number
        files = str(path.parent / "files" / id_)
        about = (id_, f"r{number}", "ada", "FINISHED", start, start + 500, "active", files, 0)
        runs["runs"].append(about)
        runs["params"].append((id_, "lr", f"{number / 8}"))
        runs["tags"].append((id_, "mlflow.runName", f"r{number}"))
        runs["metrics"] += [(id_, "loss", number + step / 4, start + step, step, 0) for step in range(2)]
    columns = {
        "runs": "run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, "
        "experiment_id",
        "params": "run_uuid, key, value",
        "tags": "run_uuid, key, value",
        "metrics": "run_uuid, key, value, timestamp, step, is_nan",
    }
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table, rows in runs.items():
            marks = ", ".join("?" * len(rows[0]))
            query = f"insert into {table} ({columns[table]}) values ({marks})"  # noqa: S608  # names of our own
            connection.executemany(query, rows)


def test_an_experiment_of_1200_runs_arrives_with_1200(
    database: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow → W&B, counted by W&B's client; W&B → TensorBoard, counted by TensorBoard; all points equal."""
    monkeypatch.chdir(tmp_path)
    path = database()
    many(path)
    before = state(path.parent)

    out = json.loads(command("migrate", f"mlflow:sqlite:///{path}", "wandb:./wandb", "--json"))
    assert (out["progress"]["runs"], out["progress"]["delivered"]) == (RUNS, RUNS)
    assert (out["progress"]["points"], out["progress"]["failed"]) == (2 * RUNS, 0)
    assert state(path.parent) == before
    assert f"Would sync {RUNS} run(s)" in command("sync", "--dry-run", name="wandb")

    command("migrate", "wandb:./wandb", "tensorboard:./tb", "--json")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    there = EventMultiplexer().AddRunsFromDirectory("tb").Runs()
    assert set(there) == {f"Default/r{number}" for number in range(RUNS)}
    for number in (0, 999, 1000, RUNS - 1):  # on both sides of MLflow's page of 1,000
        points = EventAccumulator(f"tb/Default/r{number}").Reload().Scalars("loss")
        start = (MS + 1000 * number) / 1000
        assert [(p.step, p.value, round(p.wall_time, 3)) for p in points] == [
            (0, number, start),
            (1, number + 0.25, start + 0.001),
        ]
    found = json.loads(command("verify", "wandb:./wandb", "tensorboard:./tb", "--json"))
    assert len(found) == RUNS
    assert [run for run in found if run["differences"] or run["problem"]] == []
    assert sum(run["points"] for run in found) == 2 * RUNS

    again = json.loads(command("migrate", f"mlflow:sqlite:///{path}", "wandb:./wandb", "--json"))
    assert (again["progress"]["unchanged"], again["progress"]["records"]) == (RUNS, 0)


LOSS = [
    (0, 0, "1.5"),
    (0, 0, "1.5"),
    (0, 0, "2.5"),
    (5, 1, "nan"),
    (5, 2, "-inf"),
    (9, 7, "0.1"),
    (9, 7, "0.1"),
]
"""Milliseconds, step and value of each line of the metric ``loss``; two of them stand there twice."""


def duplicates(root: Path) -> None:
    """A file store as MLflow 2 leaves it when a script logs a point twice."""
    run = root / "0" / ("a" * 32)
    for name in ("metrics", "params", "tags", "artifacts"):
        (run / name).mkdir(parents=True)
    (root / "0" / "meta.yaml").write_text(
        f"artifact_location: file://{root}/0\nexperiment_id: '0'\nlifecycle_stage: active\nname: old\n"
    )
    (run / "meta.yaml").write_text(
        f"artifact_uri: file://{run}/artifacts\nend_time: {MS + 9000}\nexperiment_id: '0'\n"
        f"lifecycle_stage: active\nrun_id: {run.name}\nrun_uuid: {run.name}\nrun_name: veteran\n"
        f"start_time: {MS}\nstatus: 3\nuser_id: ada\nsource_name: ''\nsource_type: 4\nsource_version: ''\n"
        "entry_point_name: ''\ntags: []\n"
    )
    (run / "metrics" / "loss").write_text("".join(f"{MS + ms} {value} {step}\n" for ms, step, value in LOSS))
    (run / "params" / "lr").write_text("0.1")
    (run / "artifacts" / "a.txt").write_text("a")


def test_a_file_store_with_duplicate_rows_migrates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own migration dies on it and brings nothing; here every line arrives, wherever that can be."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "mlruns"
    duplicates(root)
    before = state(root)
    theirs = [Path(sys.executable).with_name("mlflow"), "migrate-filestore", "--source", "mlruns"]
    done = subprocess.run(
        [*theirs, "--target", "sqlite:///theirs.db"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "UNIQUE constraint failed" in done.stderr
    with contextlib.closing(sqlite3.connect("theirs.db")) as connection:
        assert connection.execute("select count(*) from runs").fetchone() == (0,)

    destinations = (
        f"mlflow:sqlite:///{tmp_path}/ours.db",
        "wandb:./wandb",
        "tensorboard:./tb",
        "local:./there",
    )
    for dest in destinations:
        out = json.loads(command("migrate", "mlflow:./mlruns", dest, "--json"))
        assert (out["progress"]["delivered"], out["progress"]["points"]) == (1, len(LOSS))
        (found,) = json.loads(command("verify", "mlflow:./mlruns", dest, "--json"))
        assert (found["points"], found["differences"], found["problem"]) == (len(LOSS), [], "")
    assert state(root) == before

    # MLflow's table holds no row twice: its own client shows each once, and the source gives both back.
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/ours.db")
    (run,) = client.search_runs([client.get_experiment_by_name("old").experiment_id])
    history = client.get_metric_history(run.info.run_id, "loss")
    shown = {(point.timestamp - MS, point.step, repr(point.value)) for point in history}
    assert len(history) == len(shown) == len(set(LOSS))
    assert shown == {(ms, step, text.replace("-inf", repr(-sys.float_info.max))) for ms, step, text in LOSS}
    assert run.data.params == {"lr": "0.1"}
    assert Path(run.info.artifact_uri).parents[2] == tmp_path / "mlartifacts"  # not in the old store

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    points = EventAccumulator("tb/old/veteran", size_guidance={"scalars": 0}).Reload().Scalars("loss")
    assert [(p.step, round(p.value, 6)) for p in points if p.value == p.value] == [
        (step, float(text)) for _, step, text in LOSS if text != "nan"
    ]
    assert len(points) == len(LOSS)

"""Everything wrong that a script may say, to four real trackers at once: named, and nothing else is lost."""

from __future__ import annotations

import io
import json
import logging
import math
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast import catalog
from runcast.courier.report import BackendReport, RunReport

BACKENDS = ["mlflow", "wandb", "tensorboard", "local"]
SURROGATE, NUL = "bad\ud800name", "nul\0name"
TRUE_POINTS = {
    "fine": [(0, 1.0), (1, 2.0), (5, 3.0)],
    "loss@k=5": [(1, 0.5)],
    "Loss": [(2, 1.0)],
    "loss": [(2, 2.0)],
    SURROGATE: [(3, 1.5)],
    NUL: [(3, 2.5)],
    "a//b": [(4, 4.5)],
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[runcast.Run, RunReport, str]:
    """One run with every mistake in it, delivered; its report, and what was said to the person."""
    root = tmp_path_factory.mktemp("bad-input")
    config = {
        "dir": str(root / ".runcast"),
        "mlflow": {"uri": f"sqlite:///{root / 'mlflow.db'}"},
        "wandb": {"mode": "offline", "dir": str(root)},
        "tensorboard": {"logdir": str(root / "runs")},
    }
    said = logging.StreamHandler(stream := io.StringIO())
    logging.getLogger("runcast").addHandler(said)
    cyclic: dict[str, Any] = {"ok": 1}
    cyclic["self"] = cyclic
    run = runcast.start("bad", params={"lr": 0.1}, backends=BACKENDS, config=config)
    run.log({"fine": 1.0, "text": "no number", "none": None, "list": [1, 2]}, step=0)
    run.log_params(cyclic)
    run.log_params({"long": "x" * 10_000_000, "lr": 0.2})
    run.log({"fine": 2.0, "loss@k=5": 0.5}, step=1)
    run.log({"Loss": 1.0, "loss": 2.0}, step=2)
    run.log({SURROGATE: 1.5, NUL: 2.5}, step=3)
    run.log({"a//b": 4.5}, step=4)
    run.log({"lost": 1.0}, step=2**63)
    run.log({"nonfinite": math.nan, "plus": math.inf, "minus": -math.inf}, step=4)
    run.log_artifact(root / "missing.bin")
    run.log({"fine": 3.0}, step=5)
    run.finish(timeout=120)
    run.log({"late": 1.0})
    logging.getLogger("runcast").removeHandler(said)
    return run, run.report(), stream.getvalue()


def backend(outcome: Any, name: str) -> BackendReport:
    """One backend's part of the report."""
    return next(b for b in outcome[1].backends if b.backend == name)


def changed(outcome: Any, name: str, what: str) -> dict[str, str]:
    """Key → detail of one kind of change."""
    return {c.key: c.detail for c in backend(outcome, name).changes if c.what == what}


def test_every_backend_has_every_record(outcome: Any) -> None:
    """Nothing pending and nothing rejected anywhere."""
    assert [(b.backend, b.pending, b.rejected) for b in outcome[1].backends] == [(b, 0, []) for b in BACKENDS]


@pytest.mark.parametrize("key", ["text", "none", "list", "step", "missing.bin", "self"])
def test_what_could_not_be_kept_is_named(outcome: Any, key: str) -> None:
    """In the report, and once to the person."""
    _, report, said = outcome

    assert [lost.key for lost in report.lost if key in lost.key]
    assert key in said


def test_use_after_finish_is_said(outcome: Any) -> None:
    """With the way to go on."""
    assert "is finished" in outcome[2]


def test_mlflow_holds_every_good_point(outcome: Any) -> None:
    """Through MLflow's own client, with the names as the report maps them."""
    from mlflow import MlflowClient

    found = backend(outcome, "mlflow")
    client = MlflowClient(f"sqlite:///{found.url}")
    names = changed(outcome, "mlflow", "renamed")
    assert {"loss@k=5", SURROGATE, NUL, "a//b"} <= names.keys()
    for key, points in TRUE_POINTS.items():
        stored = client.get_metric_history(found.id, names.get(key, key))
        assert sorted((p.step, p.value) for p in stored) == points, key


def test_mlflow_reports_what_it_cannot_hold(outcome: Any) -> None:
    """A long param, a param logged twice, and infinities."""
    spilled, degraded = changed(outcome, "mlflow", "spilled"), changed(outcome, "mlflow", "degraded")

    assert "long" in spilled
    assert "lr" in degraded
    assert {"plus", "minus"} <= degraded.keys()


def test_wandb_holds_every_good_point(outcome: Any) -> None:
    """Through W&B's own client."""
    (log,) = Path(backend(outcome, "wandb").url).glob("*.wandb")
    client = str(Path(sys.executable).with_name("wandb"))
    done = subprocess.run(
        [client, "leet", "inspect", str(log), "--json"], capture_output=True, text=True, check=True
    )
    rows = [
        json.loads(line)["history"]["item"] for line in done.stdout.splitlines() if '"type":"history"' in line
    ]
    values = [value for row in rows for key, value in row.items() if not key.startswith("_")]

    for points in TRUE_POINTS.values():
        for _, value in points:
            assert value in values
    assert [row["fine"] for row in rows if "fine" in row] == [1.0, 2.0, 3.0]
    assert [row["Loss"] for row in rows if "Loss" in row] == [1.0]
    assert [row["loss"] for row in rows if "loss" in row] == [2.0]


def test_tensorboard_holds_every_good_point(outcome: Any) -> None:
    """Through TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(backend(outcome, "tensorboard").url, size_guidance={"scalars": 0})
    events.Reload()
    names = changed(outcome, "tensorboard", "renamed")
    for key, points in TRUE_POINTS.items():
        assert [(e.step, e.value) for e in events.Scalars(names.get(key, key))] == points, key


def test_the_catalog_holds_every_good_point(outcome: Any) -> None:
    """In SQLite, by the names that the script used."""
    path = backend(outcome, "local").url
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    ((points,),) = connection.execute("select points from runs where id = ?", (outcome[0].id,))
    connection.close()
    found = catalog.run(outcome[0].id, dir=Path(path).parent)

    assert points == sum(map(len, TRUE_POINTS.values())) + 3
    for key, expected in TRUE_POINTS.items():
        assert [(step, value) for step, _, value in found.history(key)[key]] == expected, key


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"backends": ["mlfow"]}, ["mlfow", "mlflow"]),
        ({"backends": ["mlflow"], "config": {"mlflow": {"urii": "x"}}}, ["mlflow.urii", "uri"]),
        ({"backends": ["local"], "config": {"finish_timeout": "soon"}}, ["finish_timeout"]),
    ],
)
def test_misconfiguration_fails_at_start(project: Path, arguments: dict[str, Any], named: list[str]) -> None:
    """With the name that was wrong and the one that was meant."""
    with pytest.raises(runcast.ConfigError) as caught:
        runcast.start("exp", **arguments)

    assert all(word in str(caught.value) for word in named)


def test_an_unreadable_config_file_is_named(project: Path) -> None:
    """The file and the line."""
    Path("runcast.toml").write_text("backends = [\n'mlflow'\nx")
    with pytest.raises(runcast.ConfigError, match=r"runcast\.toml"):
        runcast.start("exp")


@pytest.mark.fault(
    "F08",
    how="a closed port for MLflow, TensorBoard beside it",
    outcome="calls stay fast, TensorBoard has everything, the report says what waits and why",
)
def test_a_dead_server_costs_neither_time_nor_the_other_trackers(project: Path, capsys: Any) -> None:
    """Calls stay fast, TensorBoard has all, MLflow's part waits and says why."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {"mlflow": {"uri": f"http://me:s3cr3tpassword@127.0.0.1:{port}"}}
    run = runcast.start("exp", backends=["mlflow", "tensorboard"], config=config)
    slowest = 0.0
    for step in range(1000):
        began = time.perf_counter()
        run.log({"a": step}, step=step)
        slowest = max(slowest, time.perf_counter() - began)
    run.finish(timeout=15)
    found = {b.backend: b for b in run.report().backends}

    assert slowest < 1.0  # the client itself would block for four minutes
    assert found["tensorboard"].pending == 0
    assert found["mlflow"].pending > 0
    assert found["mlflow"].state == "retrying"
    assert f"127.0.0.1:{port}" in found["mlflow"].error
    assert "s3cr3tpassword" not in found["mlflow"].error
    assert "mlflow still waits" in capsys.readouterr().err
    for path in Path(".runcast").rglob("*"):
        assert not path.is_file() or b"s3cr3tpassword" not in path.read_bytes()

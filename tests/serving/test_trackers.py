"""examples/serving with W&B's registry, down and up again, and its windows in every tracker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import EXAMPLE, ROW, Server, until

TESTS = Path(__file__).parents[1]
sys.path += [path for path in (str(TESTS),) if path not in sys.path]

from wandb_server import Server as StandIn  # noqa: E402  # found by the path above

pytestmark = pytest.mark.slow
SHOWN = ("requests", "predictions", "latency_ms/p95", "drift/score", "drift/mean radius")


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """W&B's server, whose organization has a registry of models."""
    with StandIn() as server:
        yield server
    assert not server.unknown, "\n".join(server.unknown)


@pytest.fixture
def environment(stand_in: StandIn, tmp_path: Path) -> dict[str, str]:
    """Four trackers, and the registry of one of them."""
    home = str(tmp_path / "home")
    foreign = ("RUNCAST_", "MLFLOW_", "WANDB_", "SERVING_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        **dict.fromkeys(("HOME", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"), home),
        "WANDB_ARTIFACT_DIR": home,
        "WANDB_API_KEY": "fake" * 10,
        "WANDB_BASE_URL": stand_in.url,
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RUNCAST_BACKENDS": "local,mlflow,tensorboard,wandb",
        "RUNCAST_MLFLOW__URI": f"sqlite:///{tmp_path}/mlflow.db",
        "RUNCAST_WANDB__MODE": "online",
        "RUNCAST_CAPTURE": "false",
        "RUNCAST_SYSTEM_INTERVAL": "0",
        "RUNCAST_DELIVERY": "thread",
        "SERVING_REGISTRY": "wandb",
        "SERVING_LOOK_EVERY": "0.2",
        "SERVING_LOG_EVERY": "0.5",
    }


@pytest.fixture
def python(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Runs Python there; what it prints."""

    def run(*words: str, **more: str) -> str:
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=tmp_path, env={**environment, **more}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_wandbs_registry_and_every_tracker(
    stand_in: StandIn, environment: dict[str, str], python: Callable[..., str], tmp_path: Path
) -> None:
    """Served from W&B's registry, also while it is down; promoted there; the same windows in all trackers."""
    python("-c", "import wandb; wandb.Api().create_registry('model', 'organization', organization='acme')")
    train = str(EXAMPLE / "train.py")
    python(train, "logistic", RUNCAST_BACKENDS="local")
    server = Server(tmp_path, environment)
    server.start()
    try:
        server.listening()
        until(server.info, "it has a model")
        assert (server.info()["registry"], server.info()["version"]) == ("wandb", 0)
        answers = [server.predict([ROW, {**ROW, "mean radius": 30.0}])["model"] for _ in range(20)]
        stand_in.stop()
        until(lambda: "does not answer" in (server.info()["problem"] or ""), "it notices")
        answers += [server.predict([ROW])["model"] for _ in range(20)]
        assert set(answers) == {"tumour:v0"}
        stand_in.start()
        python(train, "bayes", RUNCAST_BACKENDS="local")
        until(lambda: server.info()["version"] == 1, "the promoted version answers, without a restart")
        assert server.predict([ROW])["model"] == "tumour:v1"
        assert server.info()["problem"] is None
    finally:
        server.stop()
    python("-c", "from runcast.cli import main; main()", "deliver", RUNCAST_DELIVERY="process")

    (run,) = server.windows()
    said = run.history()
    assert sum(value for _, _, value in said["requests"]) == server.answered == 41
    wanted = {name: [value for _, _, value in said[name]] for name in SHOWN}
    for tracker, read in (("mlflow", in_mlflow), ("tensorboard", in_tensorboard), ("wandb", in_wandb)):
        found, histogram = read(environment, stand_in, tmp_path)
        assert histogram, tracker
        assert {name: pytest.approx(values) for name, values in wanted.items()} == found, tracker


def in_mlflow(environment: dict[str, str], *_: Any) -> tuple[Any, bool]:
    """Metrics by MLflow's client; the histogram is an artifact."""
    from mlflow import MlflowClient

    uri = environment["RUNCAST_MLFLOW__URI"]
    client = MlflowClient(uri, uri)
    (experiment,) = client.search_experiments(filter_string="name = 'serving'")
    (run,) = client.search_runs([experiment.experiment_id])
    points = {name: client.get_metric_history(run.info.run_id, name) for name in SHOWN}
    found = {name: [p.value for p in sorted(of, key=lambda p: p.step)] for name, of in points.items()}
    return found, bool(client.list_artifacts(run.info.run_id, "media/histogram/scores"))


def in_tensorboard(environment: Any, stand_in: Any, folder: Path) -> tuple[Any, bool]:
    """Scalars and the histogram by TensorBoard's reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (place,) = {path.parent for path in (folder / "runs" / "serving").rglob("*tfevents*")}
    events = EventAccumulator(str(place), size_guidance={"scalars": 0})
    events.Reload()
    found = {name: [event.value for event in events.Scalars(name)] for name in SHOWN}
    return found, "scores" in events.Tags()["tensors"]


def in_wandb(environment: Any, stand_in: StandIn, *_: Any) -> tuple[Any, bool]:
    """Rows that the server got."""
    (run,) = (run for run in stand_in.runs.values() if run.project.name == "serving")
    rows = stand_in.rows(run.name)
    found = {name: [row[name] for row in rows if name in row] for name in SHOWN}
    return found, any("scores" in row for row in rows)

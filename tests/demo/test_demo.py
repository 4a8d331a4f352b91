"""The demo as a person runs it, and its results as each tracker's own UI serves them over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.listening import only_on_loopback

BIN = Path(sys.executable).parent
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Demo:
    """What `runcast demo --json` said, twice."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers = [self._run(), self._run()]

    def _run(self) -> dict[str, Any]:
        done = subprocess.run(
            ["runcast", "demo", "--json"],
            cwd=self.root,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def backend(self, name: str, number: int = 0) -> dict[str, Any]:
        """The report of one backend."""
        backends = self.answers[number]["report"]["backends"]
        return next(backend for backend in backends if backend["backend"] == name)

    @property
    def losses(self) -> list[tuple[int, float]]:
        """Step and value of the validation loss, from the journal."""
        from runcast.journal import Layout, read_run
        from runcast.records import Metrics

        run = self.answers[0]["report"]["run"]
        records = read_run(Layout(self.root / "runcast-demo" / ".runcast").run(run))
        return [
            (r.step, r.values["val/loss"])
            for r in records
            if isinstance(r, Metrics) and "val/loss" in r.values
        ]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, run twice in an empty folder."""
    return Demo(tmp_path_factory.mktemp("demo"))


@contextlib.contextmanager
def serving(command: list[str], folder: Path, pattern: str) -> Iterator[str]:
    """Start a tracker's UI and wait for its address, which `pattern` finds in what it prints."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            threading.Event().wait(0.1)
        only_on_loopback(process.pid)
        yield found[0].rstrip("/")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def get(url: str, body: Any = None, seconds: float = 30.0, **query: str) -> Any:
    """JSON from an endpoint, which may need a moment until its data is loaded."""
    full = f"{url}?{urllib.parse.urlencode(query)}" if query else url
    data = None if body is None else json.dumps(body).encode()
    deadline = time.monotonic() + seconds
    while True:
        try:
            request = urllib.request.Request(full, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            assert time.monotonic() < deadline, full
            threading.Event().wait(0.2)


def test_every_tracker_holds_the_same_run(demo: Demo) -> None:
    """Read back from each with its own tools: points, params and status are those of the journal."""
    for answer in demo.answers:
        comparison = answer["comparison"]
        assert [verdict["backend"] for verdict in comparison["verdicts"]] == [
            "mlflow",
            "wandb",
            "tensorboard",
            "local",
        ]
        assert [verdict["differences"] for verdict in comparison["verdicts"]] == [[], [], [], []]
        assert {verdict["points"] for verdict in comparison["verdicts"]} == {comparison["points"]}
        assert comparison["points"] > 500


def test_every_record_was_delivered(demo: Demo) -> None:
    """Nothing pending, nothing rejected, nothing lost."""
    for answer in demo.answers:
        report = answer["report"]
        assert report["status"] == "finished"
        assert report["lost"] == []
        assert [(b["records"], b["pending"], b["rejected"]) for b in report["backends"]] == [
            (report["records"], 0, [])
        ] * 4


def test_a_second_run_is_another_run(demo: Demo) -> None:
    """Running it again works, beside the first."""
    assert demo.answers[0]["report"]["run"] != demo.answers[1]["report"]["run"]
    assert demo.backend("mlflow", 0)["id"] != demo.backend("mlflow", 1)["id"]


def test_the_training_learned_something(demo: Demo) -> None:
    """It is a real training: the validation loss falls."""
    losses = [loss for _, loss in demo.losses]

    assert losses[-1] < losses[0] / 1.5


def test_mlflows_server_shows_the_run(demo: Demo) -> None:
    """The command that the demo prints starts MLflow's UI, whose API has runs, params, points and files."""
    backend = demo.backend("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [*shlex.split(backend["command"].replace("5000", port)), "--workers", "1"]
    assert command[:2] == ["mlflow", "server"]
    with serving(command, demo.root, r"http://127\.0\.0\.1:\d+") as url:
        api = f"{url}/api/2.0/mlflow"
        run = get(f"{api}/runs/get", run_id=backend["id"])["run"]
        history = get(f"{api}/metrics/get-history", run_id=backend["id"], metric_key="val/loss")["metrics"]
        artifacts = get(f"{api}/artifacts/list", run_id=backend["id"], path="digits-model")["files"]
        found = get(f"{api}/runs/search", {"experiment_ids": [run["info"]["experiment_id"]]})["runs"]

    assert run["info"]["status"] == "FINISHED"
    params = {param["key"]: param["value"] for param in run["data"]["params"]}
    assert (params["model/alpha"], params["epochs"]) == ("0.0001", "15")
    assert sorted((int(m["step"]), m["value"]) for m in history) == demo.losses
    assert {Path(file["path"]).name for file in artifacts} == {"report.txt", "weights.npy"}
    assert len(found) == 2


def test_tensorboards_server_shows_the_run(demo: Demo) -> None:
    """The command that the demo prints starts TensorBoard, whose default data server has it all."""
    backend = demo.backend("tensorboard")
    command = [*shlex.split(backend["command"]), "--host", "127.0.0.1", "--port", "0"]
    assert command[0] == "tensorboard"
    with serving(command, demo.root, r"http://127\.0\.0\.1:\d+") as url:
        deadline = time.monotonic() + 30
        while backend["id"] not in (runs := get(f"{url}/data/runs")) and time.monotonic() < deadline:
            threading.Event().wait(0.2)
        assert backend["id"] in runs
        scalars = f"{url}/data/plugin/scalars/scalars"
        points = get(scalars, run=backend["id"], tag="val/loss")
        params = get(f"{url}/data/plugin/hparams/experiment", {})["hparamInfos"]
        texts = get(f"{url}/data/plugin/text/tags")

    assert [step for _, step, _ in points] == [step for step, _ in demo.losses]
    assert [value for _, _, value in points] == pytest.approx([loss for _, loss in demo.losses], rel=1e-6)
    assert {"model/alpha", "epochs"} <= {param["name"] for param in params}
    assert any("report" in tag for tag in texts[backend["id"]])


def test_the_local_command_shows_the_run(demo: Demo) -> None:
    """The command that the demo prints works from where the demo was started."""
    command = shlex.split(demo.backend("local")["command"])
    done = subprocess.run(
        command, cwd=demo.root, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "val/loss" in done.stdout


def test_a_person_sees_where_to_look(demo: Demo) -> None:
    """Without --json: a table of backends, where each is, and the command for its UI."""
    done = subprocess.run(
        ["runcast", "demo"], cwd=demo.root, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    for word in (
        "mlflow server",
        "wandb leet run",
        "tensorboard --logdir",
        "runcast show",
        "hold the same run",
    ):
        assert word in done.stdout

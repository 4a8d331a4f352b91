"""The serving example as a real server on loopback; MLflow and W&B are configured and down. Two models."""

from __future__ import annotations

import http.client
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.catalog import RunInfo
from runcast.catalog import run as find_run
from runcast.model_registry import ModelRegistry

from ..support.listening import only_on_loopback

EXAMPLE = Path(__file__).parents[2] / "examples" / "serving"
ROW = {"mean radius": 14.1, "mean texture": 19.3, "mean smoothness": 0.096, "mean concavity": 0.089}
PATIENCE = 180.0  # seconds; a busy machine is no reason to fail

Reply = tuple[int, dict[str, Any]]


def until(met: Callable[[], Any], what: str) -> Any:
    """What `met` gives, once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := met()):
        assert time.monotonic() < end, f"waited {PATIENCE} s until {what}"
        time.sleep(0.05)
    return found


@dataclass
class Server:
    """A server process.

    Attributes:
        folder: where it runs, and where its log is.
        answered: how many questions to /predict got an answer, over all.
        logged: ids of the runs that it logged to.
    """

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    answered: int = 0
    logged: set[str] = field(default_factory=set)

    @property
    def log(self) -> str:
        """What it has written."""
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Start it; see `listening`."""
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLE), "app:app", "--port", "0"]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--no-access-log"], cwd=self.folder, env=self.environment, stderr=log
            )

    def listening(self) -> None:
        """Wait until it listens; it may have no model yet."""
        found = until(lambda: re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log), "it listens")
        self.port = int(found[1])
        assert self.process is not None
        only_on_loopback(self.process.pid)

    def stop(self) -> int:
        """Stop it as a service manager does; the exit code, 0 where it does not run."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE)

    def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            return send(connection, method, path, body)
        finally:
            connection.close()

    def predict(self, rows: Any) -> dict[str, Any]:
        """The answer to a question that is fine."""
        status, answer = self.ask("POST", "/predict", json.dumps({"rows": rows}).encode())
        assert status == 200, answer
        self.answered += 1
        return answer

    def info(self) -> dict[str, Any]:
        """What it says of its model; empty while it has none."""
        status, answer = self.ask("GET", "/model_info")
        assert status in (200, 503), answer
        if status == 200:
            self.logged.add(answer["logged_by"])
        return answer if status == 200 else {}

    def windows(self) -> list[RunInfo]:
        """The runs that it logged to, as the catalog has them."""
        return [find_run(run, dir=self.folder / ".runcast") for run in self.logged]


def send(connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"") -> Reply:
    """One request."""
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that was started before there was a model; then train.py made two. Every test may stop it."""
    folder = tmp_path_factory.mktemp("serving")
    foreign = ("RUNCAST_", "MLFLOW_", "WANDB_", "SERVING_")
    settings = {
        "HOME": str(folder / "home"),
        "RUNCAST_CAPTURE": "false",
        "RUNCAST_SYSTEM_INTERVAL": "0",
        "RUNCAST_DELIVERY": "thread",  # a courier process would outlive the test, waiting for MLflow
        "SERVING_LOOK_EVERY": "0.1",
        "SERVING_LOG_EVERY": "0.5",
    }
    trackers = {"RUNCAST_BACKENDS": "mlflow,wandb,local", "RUNCAST_MLFLOW__URI": "http://127.0.0.1:1"}
    trackers |= {"RUNCAST_WANDB__MODE": "online", "WANDB_BASE_URL": "http://127.0.0.1:1"}
    trackers |= {"WANDB_API_KEY": "fake" * 10, "WANDB_ERROR_REPORTING": "false"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    server = Server(folder, clean | settings | trackers)
    server.start()
    try:
        import_module("skops.io")  # takes seconds, as the server does to start
        server.listening()
        status, answer = server.ask("POST", "/predict", json.dumps({"rows": [ROW]}).encode())
        assert status == 503
        assert "there is no model yet" in answer["detail"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.syspath_prepend(str(EXAMPLE))
            patch.setattr(sys, "argv", ["train.py"])
            for name, value in settings.items():
                patch.setenv(name, value)
            runpy.run_path(str(EXAMPLE / "train.py"))
        until(lambda: server.info().get("version") == 2, "it has the second model")
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(served: Server) -> Server:
    """The server; it runs, and has a model."""
    if served.process is None:
        served.start()
        served.listening()
    until(served.info, "it has a model")
    return served


@pytest.fixture
def registry(served: Server) -> ModelRegistry:
    """Where its models come from."""
    return runcast.registry("local", config={"dir": str(served.folder / ".runcast")})

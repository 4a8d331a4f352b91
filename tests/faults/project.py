"""One project folder with four trackers, and how the programs of the kill tests are started in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.courier.closing import close_dead
from runcast.journal import JournalWriter, Layout
from runcast.records import Metrics, RunStarted

ROOT = Path(__file__).resolve().parents[2]
ALL = ("mlflow", "wandb", "tensorboard", "local")
FILES = ("wandb", "tensorboard", "local")
"""The trackers whose worker starts within a second."""
KEY = "loss"


def value(step: int) -> float:
    """What is logged at a step; exact in TensorBoard's 32 bits."""
    return step * 0.5


class Project:
    """A folder to which scripts log.

    Args:
        folder: of the project; made where it is missing.
        backends: names of the trackers.
        database: an empty MLflow database, because its migrations take seconds.
    """

    def __init__(self, folder: Path, backends: tuple[str, ...] = ALL, database: bytes | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.backends = backends
        self.layout = Layout(folder / ".runcast")
        if database is not None and not (folder / "mlflow.db").exists():
            (folder / "mlflow.db").write_bytes(database)

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """Options of each tracker; every one writes below the folder."""
        every: dict[str, dict[str, Any]] = {
            "mlflow": {"uri": f"sqlite:///{self.folder / 'mlflow.db'}"},
            "wandb": {"mode": "offline", "dir": str(self.folder)},
            "tensorboard": {"logdir": str(self.folder / "tensorboard")},
            "local": {},
        }
        return {name: every[name] for name in self.backends}

    def config(self, **settings: Any) -> dict[str, Any]:
        """Configuration for ``runcast.start``."""
        return {"dir": str(self.layout.root), **self.options, **settings}

    def crashed_run(self, count: int) -> str:
        """A run of so many points whose script is dead, and that a courier has closed; gives its id."""
        run = os.urandom(8).hex()
        writer = JournalWriter(self.layout.journal(run), run, process="gone")
        now = time.time_ns()
        started = RunStarted(
            time=now,
            run=run,
            experiment="kills",
            name=f"run-{run}",
            base=str(self.folder),
            backends=self.options,
        )
        writer.append(codec.encode(started))
        for step in range(count):
            record = Metrics(time=now + step * 10**6, step=step, values={KEY: value(step)})
            writer.append(codec.encode(record))
        assert close_dead(self.layout, run) == [writer.writer]
        return run

    def program(self, module: str, *arguments: object) -> Any:
        """Run a program of this folder of tests, and take in the JSON that it prints.

        Raises:
            RuntimeError: it failed; its error output is the message.
        """
        words = [str(self.folder), ",".join(self.backends), *map(str, arguments)]
        done = subprocess.run(
            [sys.executable, "-m", f"tests.faults.{module}", *words],
            cwd=ROOT,
            env=environment(self.folder),
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode:
            raise RuntimeError(f"tests.faults.{module} {words}: {done.stderr[-4000:]}")
        return json.loads(done.stdout)


def environment(home: Path) -> dict[str, str]:
    """For a process that must not meet this user's settings."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("RUNCAST_", "MLFLOW_", "WANDB_"))}
    quiet = {"HOME": str(home), "WANDB_ERROR_REPORTING": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**mine, **quiet}


def fresh_database(folder: Path) -> bytes:
    """An empty MLflow database, made by MLflow itself."""
    path = folder / "fresh.db"
    code = f"from mlflow import MlflowClient; MlflowClient({f'sqlite:///{path}'!r}).search_experiments()"
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, cwd=folder, env=environment(folder)
    )
    return path.read_bytes()

"""The three registries, each by its own server where it has one, behind the same fixture."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.config import Policy
from runcast.model_registry import ModelRegistry

from ..backends.mlflow.servers import MlflowServer, free_port

TESTS = Path(__file__).parents[1]
# The suite runs with importlib's import mode, which adds no path.
if str(TESTS) not in sys.path:
    sys.path.append(str(TESTS))

from wandb_server import Server  # noqa: E402  # found by the path above

SQLITE = "mlflow-sqlite"
NAMES = ("local", "mlflow", "wandb", pytest.param(SQLITE, marks=pytest.mark.slow))


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real ``mlflow server`` on loopback, for every test of this folder; each has names of its own."""
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"), free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a database of MLflow's own, for every test of this folder that wants no server."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow-sqlite')}/mlflow.db"


@pytest.fixture
def wandb_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The stand-in for W&B with a registry of models; afterwards, no question may have gone unanswered."""
    home = tmp_path / "wandb-home"
    home.mkdir()
    for name in ("HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("WANDB_ARTIFACT_DIR", str(home))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "1")
    with Server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        import wandb

        wandb.Api().create_registry("model", visibility="organization", organization="acme")
        yield server
        wandb.teardown()
    assert not server.unknown, "\n".join(server.unknown)


@dataclass
class World:
    """A project folder with access to one registry.

    Attributes:
        backend: its name.
        config: configuration of runs and registries.
        model: a name that no other test uses.
    """

    backend: str
    folder: Path
    config: dict[str, Any]
    model: str
    opened: list[ModelRegistry] = field(default_factory=list)

    def registry(self, policy: Policy | None = None, by: str = "ada") -> ModelRegistry:
        """As another process would open it."""
        made = runcast.registry(self.backend, policy=policy, config=self.config, by=by)
        self.opened.append(made)
        return made

    def folder_of(self, text: str) -> Path:
        """A folder with this content."""
        folder = self.folder / f"model-{text}"
        (folder / "sub").mkdir(parents=True, exist_ok=True)
        (folder / "weights.bin").write_bytes(text.encode() * 100)
        (folder / "sub" / "labels.txt").write_text("a b")
        return folder


@pytest.fixture
def world_of(
    project: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], World]:
    """Gives access to a registry by its backend's name."""

    def make(backend: str) -> World:
        config: dict[str, Any] = {"dir": str(project / "rc")}
        if backend == SQLITE:
            backend, config["mlflow"] = "mlflow", {"uri": request.getfixturevalue("mlflow_database")}
        elif backend == "mlflow":
            config["mlflow"] = {"uri": request.getfixturevalue("mlflow_server").uri}
        elif backend == "wandb":
            server = request.getfixturevalue("wandb_server")
            config["wandb"] = {"mode": "online", "base_url": server.url}
        unique = f"m{os.urandom(5).hex()}"
        return World(backend, project, config, unique)

    return make


@pytest.fixture(params=NAMES)
def world(request: pytest.FixtureRequest, world_of: Callable[[str], World]) -> World:
    """Each of the three registries in turn, and MLflow's without a server."""
    return world_of(request.param)

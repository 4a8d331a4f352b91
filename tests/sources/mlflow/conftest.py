"""Fixtures: an empty SQLite store, made once by MLflow itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow's own client, by which the tests write, uses what its libraries have deprecated."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"))


@pytest.fixture(scope="session", autouse=True)
def quiet_mlflow() -> Iterator[None]:
    """The variables that the backend sets stay away from other tests."""
    before = dict(os.environ)
    from runcast.backends.mlflow.client import prepare

    prepare(10)
    yield
    for name in set(os.environ) - set(before):
        if name.startswith("MLFLOW_"):
            del os.environ[name]


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: its migrations take seconds."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("fresh") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def database(tmp_path: Path, fresh_database: Path) -> Callable[[str], Path]:
    """Makes empty stores, each in a folder of this name."""

    def make(name: str = "mlflow") -> Path:
        path = tmp_path / name / "mlflow.db"
        path.parent.mkdir()
        path.write_bytes(fresh_database.read_bytes())
        return path

    return make

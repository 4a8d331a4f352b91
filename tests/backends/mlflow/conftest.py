"""Fixtures: an empty SQLite store, and runs that go there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .lives import Life, Store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow's own client, by which the tests read, uses what SQLAlchemy 2.1 has deprecated."""
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
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow database, made once by MLflow itself: its migrations take seconds."""
    path = tmp_path_factory.mktemp("fresh") / "mlflow.db"
    Store(f"sqlite:///{path}").client.search_experiments(max_results=1)
    return path.read_bytes()


@pytest.fixture
def sqlite(tmp_path: Path, fresh_database: bytes) -> str:
    """The URI of an empty store."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(fresh_database)
    return f"sqlite:///{path}"


@pytest.fixture
def life(tmp_path: Path, sqlite: str) -> Callable[..., Life]:
    """Makes runs that go to the SQLite store."""
    return lambda **fields: Life(tmp_path, fields.pop("uri", sqlite), **fields)


@pytest.fixture
def store(sqlite: str) -> Store:
    """The SQLite store as MLflow shows it."""
    return Store(sqlite)


@pytest.fixture
def fluent(sqlite: str) -> Iterator[None]:
    """MLflow's module-level functions, such as ``load_model``, look into the SQLite store."""
    import mlflow

    mlflow.set_tracking_uri(sqlite)
    mlflow.set_registry_uri(sqlite)
    yield
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)

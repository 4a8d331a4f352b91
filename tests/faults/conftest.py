"""What is made once for all faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..backends.mlflow.servers import MlflowServer, free_port
from .project import fresh_database


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow database: its migrations take seconds."""
    return fresh_database(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, database: bytes) -> Iterator[MlflowServer]:
    """A real MLflow server; the runs of one test are nothing to the next one."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(database)
    server = MlflowServer(folder, free_port())
    server.start()
    yield server
    server.stop()

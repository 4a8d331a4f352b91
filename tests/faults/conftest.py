"""What is made once for all faults."""

from __future__ import annotations

import pytest

from .project import fresh_database


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow database: its migrations take seconds."""
    return fresh_database(tmp_path_factory.mktemp("fresh"))

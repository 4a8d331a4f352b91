"""Databases that are none, damaged or of another MLflow: told by name, and never changed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast.errors import ConfigError, SourceError
from runcast.plugins.source import Selection
from runcast.sources.mlflow import MlflowSource

from .test_native import state


def is_open(path: Path) -> bool:
    """Whether this process holds the file, on a system that tells."""
    return any(
        link.exists() and link.samefile(path) for link in Path("/proc/self/fd").glob("*") if path.exists()
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is not there"),
        (
            lambda path: path.write_bytes(b"no database at all, but long enough to look at" * 100),
            "cannot be read",
        ),
        (lambda path: path.write_bytes(b""), "no database of MLflow's"),
    ],
)
def test_no_database(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    """What is no MLflow database is told, and stays as it was: no tables are created in it."""
    path = tmp_path / "x.db"
    make(path)
    before = state(tmp_path)

    with pytest.raises(ConfigError, match=message) as told:
        list(MlflowSource(f"sqlite:///{path}").runs(Selection()))
    assert state(tmp_path) == before
    assert not is_open(path), told


def test_damaged_database(database: Callable[..., Path]) -> None:
    """Pages that are overwritten are one clear error."""
    path = database()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\x55" * (len(data) - 8192)
    path.write_bytes(data)

    with pytest.raises((SourceError, ConfigError), match=r"mlflow\.db") as told:
        list(MlflowSource(f"sqlite:///{path}").runs(Selection()))
    assert not is_open(path), told


def test_an_unknown_schema_is_refused_and_stays(database: Callable[..., Path], tmp_path: Path) -> None:
    """MLflow's own client would bring such a database up to date, tables and all; a source only reads."""
    path = database()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE metrics RENAME COLUMN is_nan TO was_nan")
        connection.execute("DROP TABLE experiment_tags")
        connection.commit()
    before = state(path.parent)

    with pytest.raises(ConfigError, match="table metrics has no is_nan; start"):
        list(MlflowSource(f"sqlite:///{path}").runs(Selection()))
    assert state(path.parent) == before

"""A new database is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runcast.backends.mlflow import fresh

_CONNECTS = """
import sys
from pathlib import Path
from runcast.backends.mlflow.client import connect
from runcast.backends.mlflow.uris import parse
connect(parse("sqlite:///m.db", lambda path: Path.cwd() / path), 10)
"""


def begin(uri: str) -> None:
    """The first of a database's tables."""
    with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        connection.execute("create table first (a)")


def tables(database: Path) -> list[str]:
    """What is in a database."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return [name for (name,) in connection.execute("select name from sqlite_master order by name")]


def test_one_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """Neither the database nor its other name; the next one is whole, and private."""
    database = tmp_path / "m.db"

    def fail(uri: str) -> None:
        begin(uri)
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        fresh.make(database, f"sqlite:///{database}", fail)
    assert list(tmp_path.iterdir()) == []
    fresh.make(database, f"sqlite:///{database}", begin)
    assert list(tmp_path.iterdir()) == [database]
    assert tables(database) == ["first"]
    assert database.stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    """Also where another program makes it meanwhile; only an empty file gives way."""
    database = tmp_path / "m.db"
    database.write_bytes(b"of somebody else")
    fresh.make(database, f"sqlite:///{database}", begin)
    assert database.read_bytes() == b"of somebody else"

    other = tmp_path / "o.db"
    other.touch()

    def slower(uri: str) -> None:
        begin(uri)
        other.write_bytes(b"faster")

    fresh.make(other, f"sqlite:///{other}", slower)
    assert other.read_bytes() == b"faster"

    empty = tmp_path / "e.db"
    empty.touch()
    fresh.make(empty, f"sqlite:///{empty}", begin)
    assert tables(empty) == ["first"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.db", "m.db", "o.db"]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database gets its name all the same, and nothing else is left."""

    def refused(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    database = tmp_path / "m.db"
    fresh.make(database, f"sqlite:///{database}", begin)
    assert tables(database) == ["first"]
    assert list(tmp_path.iterdir()) == [database]


@pytest.mark.slow
def test_killed_while_mlflow_makes_its_tables(tmp_path: Path) -> None:
    """The next process begins anew, and MLflow's own client can use what it made."""
    with subprocess.Popen([sys.executable, "-c", _CONNECTS], cwd=tmp_path) as process:
        deadline = time.monotonic() + 120
        while not [path for path in tmp_path.glob(".m.db.*.new") if path.stat().st_size > 50_000]:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "m.db").exists()
    subprocess.run([sys.executable, "-c", _CONNECTS], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".new-journal"] == ["m.db"]
    script = (
        "from mlflow import MlflowClient; print(MlflowClient('sqlite:///m.db').create_run('0').info.status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "RUNNING\n"

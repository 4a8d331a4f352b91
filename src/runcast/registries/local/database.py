"""The file of the local registry: opened, made where it is missing, and only by transactions changed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from runcast.errors import Halt, Retry
from runcast.journal import make_private

_APPLICATION = 0x72637267
_VERSION = 1
_BUSY_SECONDS = 30.0
_TABLES = """
CREATE TABLE versions (
    name TEXT NOT NULL, version INTEGER NOT NULL, identity TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (name, version), UNIQUE (name, identity)
) STRICT;
CREATE TABLE aliases (
    name TEXT NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (name, alias), FOREIGN KEY (name, version) REFERENCES versions
) STRICT;
CREATE TABLE events (
    n INTEGER PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL UNIQUE, data TEXT NOT NULL
) STRICT;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'history is kept'); END;
"""
"""``data`` is the JSON of a `ModelVersion` or `Event`."""


@contextlib.contextmanager
def opened(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection | None]:
    """A connection inside one transaction; None where there is no file and nothing is to be written.

    Raises:
        Retry: the file is busy or refuses to be written.
        Halt: it is no registry, or one of a newer runcast; it is left untouched.
    """
    if not write and not path.exists():
        yield None
        return
    try:
        if write:
            make_private(path.parent)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            if not _made(connection, path, write=write):
                yield None
                return
            yield connection
            connection.execute("COMMIT")  # an exception before leaves the file as it was
    except sqlite3.OperationalError as error:
        raise Retry(f"the registry {path} is busy or cannot be written: {error}") from error
    except sqlite3.DatabaseError as error:
        raise Halt(
            f"the registry {path} cannot be used ({error}): restore it from a backup, or move it away to "
            "begin a new one"
        ) from error
    except OSError as error:
        raise Halt(f"the registry {path} cannot be opened: {error.strerror or error}") from error


def _made(connection: sqlite3.Connection, path: Path, *, write: bool) -> bool:
    """Whether the tables are there; made where something is to be written."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == _APPLICATION:
        if version > _VERSION:
            raise Halt(
                f"the registry {path} was made by a newer runcast; it is left untouched: upgrade with "
                "`pip install -U runcast`"
            )
        return True
    if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        raise Halt(f"{path} is a database of something else: move it away")
    if write:
        for statement in _TABLES.strip().split(";\n"):  # `executescript` would commit first
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    return write

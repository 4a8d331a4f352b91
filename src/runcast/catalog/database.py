"""Opening the catalog's file: made whole or not at all, private, shared by many processes.

A file that cannot be used is moved aside under a telling name, never deleted; one that a newer runcast
made, or that belongs to something else, is left alone. Creating and moving happen under a lock file,
so that two processes never do it at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from runcast.catalog import schema
from runcast.errors import ConfigError, FormatError, JournalError
from runcast.journal.layout import make_private

NAME = "catalog.db"
"""What a catalog is called unless somebody chose another path."""
BUSY_SECONDS = 30.0
"""How long a transaction waits for other processes' transactions."""

SYNCHRONOUS = "FULL"
"""NORMAL could lose the last commits with the power, after the courier was told that they are safe."""

_log = logging.getLogger("runcast")
_CORRUPT = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB
Verdict = Literal["usable", "missing", "older", "corrupt", "newer", "foreign"]


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the catalog at `path`, which is created, or replaced where it is unusable.

    Transactions are explicit (``BEGIN IMMEDIATE``). A commit is on disk when it returns.

    Raises:
        FormatError: a newer runcast made the file; it is left untouched.
        ConfigError: the file is something else, a database or not; it is left untouched.
        JournalError: the file cannot be opened.
    """
    try:
        connection, verdict = _open(path)
        if connection is None:
            if verdict != "missing":
                _check_ours(path)
            with _locked(path):
                connection, verdict = _open(path)
                if connection is None:
                    if verdict != "missing":
                        _check_ours(path)
                        set_aside(path, verdict)
                    _create(path)
                    connection, verdict = _open(path)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"the catalog {path} cannot be opened ({error}): check that its folder is writable and not full"
        ) from error
    if connection is None:
        raise JournalError(f"the catalog {path} is {verdict} and could not be replaced")
    return connection


def connect_watched(path: Path) -> tuple[sqlite3.Connection, int]:
    """A connection and the inode of its file, to notice when another file takes its place."""
    for _ in range(5):
        inode = file_id(path)
        connection = connect(path)
        if inode and file_id(path) == inode:
            return connection, inode
        connection.close()  # made or replaced just now
    raise JournalError(
        f"the catalog {path} is being replaced over and over: is another runcast version running?"
    )


def identity(connection: sqlite3.Connection) -> str:
    """The file's own id; a catalog that was made anew has another one."""
    return str(connection.execute("SELECT id FROM catalog").fetchone()[0])


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken."""
    code = getattr(error, "sqlite_errorcode", None)  # Python 3.11 and later
    if code is not None:
        return code & 0xFF in _CORRUPT
    return "malformed" in str(error) or "not a database" in str(error)


def replace_corrupt(path: Path, inode: int) -> None:
    """Move the file aside, unless it is no longer the one with this inode."""
    with _locked(path):
        if file_id(path) == inode and _is_ours(path):
            set_aside(path, "corrupt")


def file_id(path: Path) -> int:
    """The inode at `path`, or 0: tells whether the file was replaced."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def set_aside(path: Path, why: str) -> Path:
    """Rename the file and its companions; the caller holds the lock. Gives the new path."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    target = path.with_name(f"{path.name}.{why}-{stamp}")
    number = 1
    while target.exists():
        target = path.with_name(f"{path.name}.{why}-{stamp}-{number}")
        number += 1
    for suffix in ("-wal", "-shm", ""):  # the main file last: while it stands, the rest belongs to it
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(target.with_name(target.name + suffix))
    _log.warning("the catalog %s is %s: moved to %s, rebuilding it from the journals", path, why, target)
    return target


def _check_ours(path: Path) -> None:
    if not _is_ours(path):
        raise ConfigError(f"{path} is no catalog: give the catalog another path, or move that file")


def _is_ours(path: Path) -> bool:
    """Whether a file that SQLite cannot read was a catalog: the path may come from a forged journal."""
    with path.open("rb") as file:
        head = file.read(72)
    number = schema.APPLICATION_ID.to_bytes(4, "big", signed=True)
    return path.name == NAME or not head or head[68:] == number


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    make_private(path.parent)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _create(path: Path) -> None:
    # Made under another name and renamed, so that no process ever sees half a catalog.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    # SQLite gives its companion files the mode of the main file.
    os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            schema.create(connection)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _open(path: Path) -> tuple[sqlite3.Connection | None, Verdict]:
    if not path.exists():
        return None, "missing"
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        verdict = _inspect(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if is_corrupt(error):
            return None, "corrupt"
        raise
    except BaseException:
        connection.close()
        raise
    if verdict != "usable":
        connection.close()
        return None, verdict
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    return connection, verdict


def _inspect(connection: sqlite3.Connection, path: Path) -> Verdict:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application != schema.APPLICATION_ID:
        if tables:
            raise ConfigError(
                f"{path} is a database of something else: give the catalog another path, or move that file"
            )
        return "corrupt"  # empty: creation elsewhere was cut short
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > schema.VERSION:
        raise FormatError(
            f"the catalog {path} was made by a newer runcast (version {version}, this one reads up to "
            f"{schema.VERSION}); it is left untouched: upgrade with `pip install -U runcast`"
        )
    if version < schema.VERSION:
        return "older"
    if not tables.issuperset({"catalog", "runs", *schema.CHILDREN}):
        return "corrupt"
    connection.execute("SELECT id FROM catalog").fetchone()
    return "usable"

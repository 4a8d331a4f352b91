"""The one place that imports MLflow: lazily, quietly, with its own retries off."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import re
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runcast.backends.mlflow import fresh
from runcast.backends.mlflow.errors import translate
from runcast.backends.mlflow.manners import heeding
from runcast.backends.mlflow.uris import Store
from runcast.errors import Halt, Retry

PATIENCE = 5.0
_inside = threading.local()
_LIBRARIES = r"mlflow\.|sqlalchemy\.|alembic\."
_DEPRECATIONS = ("ignore", None, DeprecationWarning, re.compile(_LIBRARIES), 0)


def prepare(timeout: float) -> None:
    """Set MLflow's variables for this process, where the user is silent; before MLflow's import.

    The courier owns retry, so that MLflow's own (7 attempts, 4 minutes) would only hide an outage.

    Args:
        timeout: seconds for one HTTP request.
    """
    defaults = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, math.ceil(timeout))),
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def connect(store: Store, timeout: float) -> Any:
    """An ``mlflow.MlflowClient`` that has been seen to work.

    Raises:
        Retry, Halt: see `runcast.backends.mlflow.errors`.
    """
    prepare(timeout)
    with translated(store):
        from mlflow import MlflowClient

        _silence()  # the import has just set up MLflow's handlers

        def opened(uri: str) -> Any:
            # A registry URI of its own spares MLflow the search for one.
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            if store.kind != "http":
                client.search_experiments(max_results=1)  # creates the tables
            return client

        with _initialising(store):
            if store.database is not None and os.access(store.database.parent, os.W_OK):
                fresh.make(store.database, store.uri, opened)
            _probe(store, timeout)
            return opened(store.uri)


def pages(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """Everything that a search of MLflow's finds, page by page.

    Args:
        search: gives the page of a token, the first one for None.
    """
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


@contextlib.contextmanager
def translated(store: Store, patience: float = PATIENCE) -> Iterator[None]:
    """Run a block of MLflow calls: silent in this thread, and its failures as delivery errors.

    Args:
        store: which it is about.
        patience: most seconds that a request waits for its turn at a busy server; else it is `Retry`.
    """
    _silence()
    before = getattr(_inside, "active", False)
    _inside.active = True
    try:
        with heeding(patience) if store.kind == "http" else contextlib.nullcontext():
            yield
    except Exception as error:
        delivery = translate(error, store)
        if delivery is error:
            raise
        # Not chained: MLflow's own text may hold the password.
        raise delivery from None
    finally:
        _inside.active = before


def _silence() -> None:
    for name in ("mlflow", "alembic"):
        logger = logging.getLogger(name)
        for handler in (*logger.handlers, *logging.getLogger().handlers):
            if _not_ours not in handler.filters:
                handler.addFilter(_not_ours)
    # Deprecations between MLflow and its own libraries; a user under ``-W error`` must not lose data to them.
    # Not ``catch_warnings``: that is not safe beside other threads.
    if _DEPRECATIONS not in warnings.filters:
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=_LIBRARIES)


def _not_ours(record: logging.LogRecord) -> bool:
    # What MLflow has to say comes back as an exception, and from there into the run's status.
    ours = getattr(_inside, "active", False)
    return not (ours and record.name.partition(".")[0] in ("mlflow", "alembic"))


@contextlib.contextmanager
def _initialising(store: Store) -> Iterator[None]:
    """Keep two processes from creating the same SQLite database at once: MLflow does not."""
    if store.database is None:
        yield
        return
    folder = store.database.parent
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)  # the folder itself: no lock file is left behind
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _probe(store: Store, timeout: float) -> None:
    """One attempt to connect: MLflow's own would go on for a minute and a half, whatever the cause."""
    if store.database is not None:
        _probe_sqlite(store.database)
    elif store.kind == "sql":
        import sqlalchemy

        arguments = {"connect_timeout": max(1, math.ceil(timeout))} if "mssql" not in store.uri[:5] else {}
        engine = sqlalchemy.create_engine(store.uri, poolclass=sqlalchemy.NullPool, connect_args=arguments)
        with engine.connect():
            pass


def _probe_sqlite(database: Path) -> None:
    if not database.exists():
        # SQLite would make it readable for everybody whom the umask lets.
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, 0o600))
    if not os.access(database, os.W_OK) or not os.access(database.parent, os.W_OK):
        raise PermissionError(f"{database} or its folder cannot be written")
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
        try:
            connection.execute("select count(*) from sqlite_master")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise Retry(f"{database} is locked by another program") from error
            raise Halt(f"{database} is no SQLite database ({error}): correct uri") from error

"""Tracking URIs: which kind of store, where exactly, and never a password in what people see."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from runcast.errors import Halt
from runcast.plugins import Ref

Kind = Literal["sqlite", "sql", "http", "other"]

_SQL = ("postgresql", "mysql", "mssql")
_USERINFO = re.compile(r"(?<=://)[^\s/?#]*@|(?<=://)\S*:\S*@")
_PASSWORD = re.compile(r"((?:password|passwd|pwd|token)=)[^&\s'\"]+", re.IGNORECASE)


def mask(text: str) -> str:
    """`text` without user names and passwords of URLs."""
    return _PASSWORD.sub(r"\1***", _USERINFO.sub("***@", text))


@dataclass(frozen=True)
class Store:
    """One tracking store.

    Attributes:
        uri: as MLflow takes it, absolute; may hold a password.
        kind: ``other`` is whatever MLflow has a plugin for.
        database: the file, where the store is SQLite.
    """

    uri: str
    kind: Kind
    database: Path | None = None

    @property
    def shown(self) -> str:
        """The URI without credentials."""
        return mask(self.uri)

    @property
    def host(self) -> str:
        """Host and port of a server; "" of anything else."""
        if self.kind != "http":
            return ""
        parts = urlsplit(self.uri)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    def ref(self, run_id: str, experiment_id: str) -> Ref:
        """Where people look at a run of this store."""
        if page := self.page(experiment_id, f"runs/{run_id}"):
            return Ref(id=run_id, url=page)
        if self.database is not None:
            command = f"mlflow server --backend-store-uri {shlex.quote(self.uri)} --port 5000"
            return Ref(id=run_id, url=str(self.database), command=command)
        return Ref(id=run_id, url=self.shown)

    def page(self, experiment_id: str, rest: str) -> str:
        """A page of MLflow's UI about something in an experiment; "" where nobody serves it."""
        if self.kind != "http":
            return ""
        parts = urlsplit(self.uri)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path.rstrip('/')}/#/experiments/{experiment_id}/{rest}"


def parse(uri: str, resolve: Callable[[str], Path]) -> Store:
    """The store that a tracking URI names.

    Args:
        uri: ``sqlite:///file.db``, ``postgresql://``, ``http://``, ...
        resolve: makes a relative path absolute.

    Raises:
        Halt: MLflow 3 cannot write there, or nothing would be left after the process.
    """
    scheme, separator, rest = uri.strip().partition(":")
    dialect = scheme.lower().partition("+")[0]
    if dialect == "sqlite":
        return _sqlite(uri.strip(), rest, resolve)
    if dialect in _SQL:
        return Store(uri.strip(), "sql")
    if dialect in ("http", "https"):
        return Store(uri.strip().rstrip("/"), "http")
    if dialect == "file" or "/" in scheme or (not separator and dialect != "databricks"):
        raise Halt(
            f"MLflow 3 no longer writes to folders such as {mask(uri)!r}: set uri to a database, such as "
            f"sqlite:///mlflow.db; old runs: runcast migrate mlflow:{mask(uri)} mlflow:sqlite:///mlflow.db"
        )
    return Store(uri.strip(), "other")


def _sqlite(uri: str, rest: str, resolve: Callable[[str], Path]) -> Store:
    path, question, query = rest.removeprefix("//").partition("?")
    name = path.removeprefix("/")
    if not name or name == ":memory:" or (name.startswith("file:") and "uri=true" in query):
        raise Halt(f"{uri!r} is no database file, so nothing would be kept: set uri to sqlite:///mlflow.db")
    database = resolve(name)
    if "?" in str(database):
        raise Halt(
            f"SQLAlchemy cannot open {str(database)!r}, because of the question mark: move the database"
        )
    return Store(f"sqlite:///{database}{question}{query}", "sqlite", database)

"""A database that is only read: SQLite through Python's own module, others through SQLAlchemy."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runcast.backends.mlflow.uris import Store
from runcast.errors import ConfigError, SourceError

_CHUNK = 10_000
_DAMAGED = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter from its own text on what is wrong


class Database:
    """Rows of queries, as tuples; parameters are named (``:run``)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine: Any = None
        self._connection: Any = None
        if store.database is not None:
            self._connection = _sqlite(store.database)
        else:
            self._engine = _engine(store)

    def columns(self, table: str) -> set[str]:
        """Names of a table's columns; none where it is not there."""
        if self._engine is None:
            return {row[0] for row in self.rows("select name from pragma_table_info(:name)", name=table)}
        import sqlalchemy

        with self._told():
            found = sqlalchemy.inspect(self._engine)
            return {c["name"] for c in found.get_columns(table)} if found.has_table(table) else set()

    def rows(self, query: str, **parameters: Any) -> Iterator[Sequence[Any]]:
        """What a query gives, in a stream."""
        with self._told():
            if self._engine is None:
                cursor = self._connection.execute(query, parameters)
                while rows := cursor.fetchmany(_CHUNK):
                    yield from rows
                return
            import sqlalchemy

            with self._engine.connect() as connection:
                streamed = connection.execution_options(stream_results=True, yield_per=_CHUNK)
                with contextlib.closing(streamed.execute(sqlalchemy.text(query), parameters)) as found:
                    yield from found

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            raise SourceError(
                f"{self._store.shown} is damaged or busy ({error}); see PRAGMA integrity_check"
            ) from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "sqlalchemy":
                raise
            raise SourceError(f"{self._store.shown} does not answer ({_short(error)})") from None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
        if self._engine is not None:
            self._engine.dispose()


def _sqlite(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise ConfigError(f"{path} is not there: name the database that MLflow wrote, mlflow:sqlite:///FILE")
    with contextlib.ExitStack() as otherwise:
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, timeout=20, check_same_thread=False
            )
            otherwise.callback(connection.close)
            connection.execute("select count(*) from sqlite_master").fetchall()
        except _DAMAGED as error:
            raise ConfigError(
                f"{path} cannot be read as a SQLite database ({error}): correct the address, or rescue what "
                "is left of it with `sqlite3 FILE .recover`"
            ) from error
        otherwise.pop_all()
        return connection


def _engine(store: Store) -> Any:
    try:
        import sqlalchemy

        options = {"postgresql_readonly": True} if store.uri.startswith("postgresql") else {}
        engine = sqlalchemy.create_engine(store.uri, execution_options=options)
        with engine.connect():
            pass
    except ImportError as error:
        packages = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
        package = packages.get(error.name or "", error.name)
        raise ConfigError(f"{store.shown} needs {error.name}: pip install '{package}'") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "sqlalchemy":
            raise
        raise ConfigError(
            f"{store.shown} cannot be opened ({_short(error)}): check the address, user and password, and "
            "whether the server is up"
        ) from None
    return engine


def _short(error: BaseException) -> str:
    from runcast.backends.mlflow.uris import mask

    return mask(" ".join(str(error).split()).partition("(Background on")[0][:300])

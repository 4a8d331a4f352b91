"""Sorting more than fits into memory: a temporary SQLite database, which is gone with its connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any


class Spool:
    """Rows ``(ms, step, ...)``, given back by ms and step; where these are equal, as they came.

    Args:
        width: how many values a row has; SQLite must know their types.
    """

    def __init__(self, width: int) -> None:
        # An empty name is a database in a private temporary file, which the system removes.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("pragma journal_mode = off")
        self._columns = ", ".join(f"c{number}" for number in range(width))
        self._marks = ", ".join("?" * width)
        self._database.execute(f"create table rows ({self._columns})")

    def fill(self, rows: Iterable[tuple[Any, ...]]) -> Spool:
        """Add rows."""
        self._database.execute("begin")
        self._database.executemany(f"insert into rows values ({self._marks})", rows)  # noqa: S608  # only marks
        self._database.execute("commit")
        return self

    def sorted(self, *more: int) -> Iterator[Any]:
        """Every row; `more` are positions that decide before the order of their coming does."""
        order = ", ".join(["c0", "c1", *(f"c{number}" for number in more), "rowid"])
        query = f"select {self._columns} from rows order by {order}"  # noqa: S608  # names of our own
        yield from self._database.execute(query)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

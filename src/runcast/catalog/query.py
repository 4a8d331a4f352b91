"""Asking the catalog: `runs` for many, `run` for one."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from runcast.catalog import reader
from runcast.catalog.comparisons import add_functions
from runcast.catalog.fields import NAMES, field, order_by
from runcast.catalog.filters import to_sql
from runcast.catalog.index import home, opened
from runcast.catalog.model import RunInfo
from runcast.catalog.values import Text, text_in, text_out
from runcast.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


class RunList(Sequence[RunInfo]):
    """Runs, as they were when they were asked for.

    Attributes:
        total: how many runs match, whatever the limit.
    """

    def __init__(self, runs: Sequence[RunInfo], total: int | None = None) -> None:
        self._runs = list(runs)
        self.total = len(self._runs) if total is None else total

    @overload
    def __getitem__(self, index: int) -> RunInfo: ...
    @overload
    def __getitem__(self, index: slice) -> RunList: ...
    def __getitem__(self, index: int | slice) -> RunInfo | RunList:
        return RunList(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[RunInfo]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return f"<RunList: {len(self)} of {self.total} runs>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """One plain dict a run."""
        return [run.to_dict() for run in self._runs]

    def to_pandas(self) -> pd.DataFrame:
        """One row a run: its own columns, ``params.K``, ``metrics.K`` (last value), ``tags.K``.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise UsageError("to_pandas needs pandas: pip install pandas, or use to_dicts()") from error
        rows = []
        for run in self._runs:
            row = {k: v for k, v in run.to_dict().items() if k not in ("params", "metrics", "tags")}
            row.update({f"params.{key}": value for key, value in run.params.items()})
            row.update({f"metrics.{key}": summary.last for key, summary in run.metrics.items()})
            row.update({f"tags.{key}": value for key, value in run.tags.items()})
            rows.append(row)
        frame = pd.DataFrame(rows, columns=None if rows else list(RunInfo.__struct_fields__[:-4]))
        for column in ("start", "end"):
            frame[column] = pd.to_datetime(frame[column].astype("Int64"), unit="ns", utc=True)
        return frame


def runs(
    experiment: str | None = None,
    *,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    dir: str | Path | None = None,
) -> RunList:
    """The runs that meet every condition, newest first.

    Args:
        experiment: only of this one.
        where: conditions, such as ``metrics.val/acc > 0.9 and params.lr <= 0.1``;
            see `runcast.catalog.filters`.
        sort: a field, such as ``start`` or ``-metrics.val/acc``; ``-`` turns the order round.
        limit: at most so many.
        dir: runcast's folder, where it is not the configured one.

    Raises:
        UsageError: a condition, the sort or the limit cannot be understood.
    """
    query = Query(experiment, where, sort, limit)
    folder = home(dir)
    with opened(folder) as connection:
        if connection is None:
            return RunList([])
        numbers, total = query.numbers(connection)
        return RunList(reader.infos(connection, numbers, str(folder)), total)


def documents(
    experiment: str | None = None,
    *,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    dir: str | Path | None = None,
) -> list[bytes]:
    """What `runs` finds, each run as JSON; many times faster for many runs, because nothing is decoded."""
    query = Query(experiment, where, sort, limit)
    with opened(home(dir)) as connection:
        if connection is None:
            return []
        return list(reader.documents(connection, query.numbers(connection)[0]))


class Query:
    """A checked question: SQL and parameters."""

    def __init__(
        self, experiment: str | None, where: str | None, sort: str | None, limit: int | None
    ) -> None:
        if limit is not None and limit < 0:
            raise UsageError(f"limit {limit}: expected 0 or more")
        condition, self._parameters = to_sql(where) if where and where.strip() else ("1", [])
        self._from = f"FROM runs r WHERE ({condition})"
        if experiment is not None:
            self._from += " AND r.experiment = ?"
            self._parameters.append(text_in(experiment))
        self._order, self._order_parameters = _order(sort or "-start")
        self._limit = -1 if limit is None else limit

    def numbers(self, connection: sqlite3.Connection) -> tuple[list[int], int]:
        """Row numbers of the page in order, and how many runs match in all."""
        add_functions(connection)
        query = f"SELECT r.n {self._from} ORDER BY {self._order} LIMIT ?"
        parameters = (*self._parameters, *self._order_parameters, self._limit)
        found = [int(n) for (n,) in connection.execute(query, parameters)]
        if self._limit < 0 or len(found) < self._limit:
            return found, len(found)
        total = connection.execute(f"SELECT COUNT(*) {self._from}", self._parameters).fetchone()[0]
        return found, total


def run(id: str, *, dir: str | Path | None = None) -> RunInfo:
    """The run with this id, or the only one whose id begins so, or that is named so.

    Raises:
        UsageError: there is none, or several; the message names near ones.
    """
    folder = home(dir)
    with opened(folder) as connection:
        rows = [] if connection is None else _candidates(connection, id)
        if connection is not None and len(rows) == 1:
            return reader.infos(connection, [rows[0][0]], str(folder))[0]
        if rows:
            several = ", ".join(text_out(row[1]) for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
            raise UsageError(f"{len(rows)} runs answer to {id!r}: {several}; give one of these ids")
        near = [] if connection is None else _near(connection, id)
    hint = f"; did you mean {' or '.join(near)}?" if near else ": list them with `runcast runs`"
    raise UsageError(f"no run {id!r} in {folder}{hint}")


def _candidates(connection: sqlite3.Connection, id: str) -> list[tuple[int, Text]]:
    """The exact id, else ids that begin so, else names, each optionally behind ``experiment/``."""
    select = "SELECT n, id FROM runs WHERE "
    questions: list[tuple[str, dict[str, Any]]] = [
        ("id = :it", {"it": text_in(id)}),
        ("substr(id, 1, :size) = :it", {"it": text_in(id), "size": len(id)}),
        ("name = :it OR experiment || '/' || name = :it", {"it": text_in(id)}),
    ]
    for condition, parameters in questions:
        if id and (
            rows := connection.execute(f"{select}{condition} ORDER BY start_ns DESC", parameters).fetchall()
        ):
            return rows
    return []


def _near(connection: sqlite3.Connection, id: str) -> list[str]:
    names = connection.execute("SELECT id, name FROM runs ORDER BY start_ns DESC LIMIT 5000").fetchall()
    known = dict.fromkeys(text_out(name) for row in names for name in row)
    return difflib.get_close_matches(id, known, n=3, cutoff=0.5)


def _order(sort: str) -> tuple[str, list[Text]]:
    descending = sort.startswith("-")
    name = sort[1:] if descending else sort
    found = field(name)
    if found is None:
        raise UsageError(f"sort {sort!r}: no field {name!r}; there are {', '.join(NAMES)}")
    terms, parameters = order_by(found, descending=descending)
    return f"{terms}, r.start_ns DESC, r.n DESC", parameters

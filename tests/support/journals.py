"""Past runs for tests of the catalog: journals as a script would have left them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.backends.local import LocalBackend
from runcast.journal import JournalWriter, Layout, make_private, read_run
from runcast.plugins import OpenRun
from runcast.records import Metrics, Params, Record, RunFinished, RunStarted, Tags

T0 = 1_700_000_000_000_000_000
SECOND = 10**9


class Folder:
    """One runcast folder."""

    def __init__(self, dir: Path) -> None:
        self.dir = dir
        self.layout = Layout(dir)

    def write(self, run: str, records: Iterable[Record]) -> list[Record]:
        """One process's records, in a segment of their own; gives the run's journal as it reads."""
        writer = JournalWriter(self.layout.journal(run), run)
        for record in records:
            writer.append(codec.encode(record))
        writer.close()
        return self.records(run)

    def run(
        self,
        run: str,
        *more: Record,
        name: str | None = None,
        experiment: str = "digits",
        params: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
        metrics: dict[str, list[Any]] | None = None,
        start: int = T0,
        status: Any = "finished",
        **about: Any,
    ) -> list[Record]:
        """A whole run; metrics are key → values at steps 0, 1, ...; no status: still running."""
        name = run if name is None else name
        records: list[Record] = [RunStarted(time=start, run=run, experiment=experiment, name=name, **about)]
        records.append(Params(time=start, values=params or {}))
        records.append(Tags(time=start, values=tags or {}))
        for key, values in (metrics or {}).items():
            for step, value in enumerate(values):
                records.append(Metrics(time=start + step * SECOND, step=step, values={key: value}))
        records.extend(more)
        if status:
            records.append(RunFinished(time=start + 90 * SECOND, status=status))
        return self.write(run, records)

    def records(self, run: str) -> list[Record]:
        """The run's journal."""
        return list(read_run(self.layout.run(run)))

    def open(self, run: str, state: dict[str, Any] | None = None, path: str | None = None) -> LocalBackend:
        """The backend, opened on this run as the courier would."""
        started = next(record for record in self.records(run) if isinstance(record, RunStarted))
        folder = self.layout.delivery(run, "local")
        make_private(folder)
        backend = LocalBackend(LocalBackend.Options(path=path))
        backend.open(OpenRun(run, started, folder, self.layout.blobs, {} if state is None else state))
        return backend

    def deliver(self, run: str, size: int = 1000, state: dict[str, Any] | None = None) -> None:
        """The whole journal of a run, in batches."""
        backend = self.open(run, state)
        records = self.records(run)
        for start in range(0, len(records), size):
            backend.deliver(records[start : start + size])
        backend.close()

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the catalog's file itself."""
        return ask(self.layout.catalog, query, *parameters)


def ask(path: Path, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """One query with the sqlite3 module."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(query, parameters).fetchall()
    finally:
        connection.close()


def dump(path: Path) -> dict[str, list[str]]:
    """Everything in a catalog but its own identity; values by their repr, so that NaN equals itself."""
    tables = [name for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: sorted(repr(row) for row in ask(path, f"SELECT * FROM {table}"))  # noqa: S608  # its own tables
        for table in tables
        if table not in ("catalog", "readings")
    }

"""One run's state to rows and back; every statement of the writing side stands here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from runcast.catalog.logged import store_logged
from runcast.catalog.state import Head, Loss, Mark, RunState, Tally
from runcast.catalog.values import (
    int64,
    json_in,
    json_out,
    number_in,
    number_out,
    optional_in,
    optional_out,
    sortable,
    text_in,
    text_out,
)
from runcast.records import Metrics, Record, System

_HEAD = (
    "id, experiment, name, parent, group_name, job_type, user, host, status, start_ns, end_ns, error, note, "
    "points, lost"
)
_TALLY = (
    "count, step, time_ns, first, first_exact, last, last_exact, min, min_exact, max, max_exact, "
    "min_step, max_step"
)
_CHUNK = 500  # keys per query; SQLite's oldest limit for parameters is 999


def number_of(connection: sqlite3.Connection, run: str) -> int | None:
    """The row number of a run, or None."""
    row = connection.execute("SELECT n FROM runs WHERE id = ?", (text_in(run),)).fetchone()
    return None if row is None else int(row[0])


def load_state(connection: sqlite3.Connection, run: str, batch: Sequence[Record]) -> RunState:
    """What is stored of a run, as far as the batch touches it."""
    n = number_of(connection, run)
    if n is None:
        return RunState(Head(run, name=run))
    state = RunState(_load_head(connection, n), load_marks(connection, n))
    state.metrics = _load_tallies(connection, n, "metrics", batch, Metrics)
    state.system = _load_tallies(connection, n, "system", batch, System)
    for key, reason, count, detail in connection.execute(
        "SELECT key, reason, count, detail FROM losses WHERE run = ?", (n,)
    ):
        state.losses[text_out(key), text_out(reason)] = Loss(count, optional_out(detail))
    return state


def _load_head(connection: sqlite3.Connection, n: int) -> Head:
    query = f"SELECT {_HEAD} FROM runs WHERE n = ?"  # noqa: S608  # own constant
    row = connection.execute(query, (n,)).fetchone()
    values: list[Any] = [text_out(value) if isinstance(value, bytes) else value for value in row]
    return Head(*values)


def load_marks(connection: sqlite3.Connection, n: int) -> dict[str, Mark]:
    """How far each writer has come."""
    rows = connection.execute("SELECT writer, seq, names, began, over, own FROM writers WHERE run = ?", (n,))
    return {
        writer: Mark(seq, set(json_out(names)) if names else set(), bool(began), bool(over), bool(own))
        for writer, seq, names, began, over, own in rows
    }


def _load_tallies(
    connection: sqlite3.Connection,
    n: int,
    table: str,
    batch: Sequence[Record],
    kind: type[Metrics] | type[System],
) -> dict[str, Tally]:
    keys = sorted({key for record in batch if isinstance(record, kind) for key in record.values})
    found = {}
    for key, count, step, time, *rest in _by_key(connection, n, table, keys):
        numbers: list[Any] = [number_out(*rest[i : i + 2]) for i in range(0, 8, 2)]
        found[text_out(key)] = Tally(count, step, time, *numbers, *rest[8:])
    return found


def _by_key(
    connection: sqlite3.Connection, n: int, table: str, keys: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(keys), _CHUNK):
        part = [text_in(key) for key in keys[start : start + _CHUNK]]
        yield from connection.execute(
            f"SELECT key, {_TALLY} "  # noqa: S608  # own constants and question marks
            f"FROM {table} WHERE run = ? AND key IN ({','.join('?' * len(part))})",
            (n, *part),
        )


def store_state(connection: sqlite3.Connection, state: RunState) -> int:
    """Write what the state holds over what is stored; gives the run's row number."""
    n = store_head(connection, state.head)
    insert = connection.executemany
    insert(
        "INSERT OR REPLACE INTO writers VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (n, writer, mark.seq, json_in(sorted(mark.names)), mark.began, mark.over, mark.own)
            for writer, mark in state.marks.items()
        ),
    )
    insert(
        "INSERT OR REPLACE INTO params VALUES (?, ?, ?, ?)",
        ((n, text_in(key), json_in(value), _comparable(value)) for key, value in state.params.items()),
    )
    insert(
        "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
        ((n, text_in(key), text_in(value)) for key, value in state.tags.items()),
    )
    for table, tallies in (("metrics", state.metrics), ("system", state.system)):
        insert(
            f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * 15)})",  # noqa: S608  # own words
            ((n, text_in(key), *_tally_row(tally)) for key, tally in tallies.items()),
        )
    insert(
        "INSERT OR REPLACE INTO losses VALUES (?, ?, ?, ?, ?)",
        (
            (n, text_in(key), text_in(reason), loss.count, optional_in(loss.detail))
            for (key, reason), loss in state.losses.items()
        ),
    )
    store_logged(connection, n, state)
    return n


def store_head(connection: sqlite3.Connection, head: Head) -> int:
    """Write the run's own row; gives its number."""
    values = [getattr(head, name) for name in Head.__slots__]
    row = [text_in(value) if isinstance(value, str) else value for value in values]
    n = number_of(connection, head.id)
    if n is None:
        marks = ",".join("?" * len(row))
        cursor = connection.execute(f"INSERT INTO runs ({_HEAD}) VALUES ({marks})", row)  # noqa: S608  # own constants
        return int(cursor.lastrowid or 0)
    assignments = ", ".join(f"{column} = ?" for column in _HEAD.split(", "))
    connection.execute(f"UPDATE runs SET {assignments} WHERE n = ?", (*row, n))  # noqa: S608  # own constants
    return n


def _comparable(value: object) -> int | float | None:
    """The number of a param that is one; True is no number here."""
    return sortable(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _tally_row(tally: Tally) -> tuple[object, ...]:
    numbers = (tally.first, tally.last, tally.min, tally.max)
    pairs = [column for number in numbers for column in number_in(number)]
    steps = (None if step is None else int64(step) for step in (tally.min_step, tally.max_step))
    return tally.count, int64(tally.step), int64(tally.time), *pairs, *steps

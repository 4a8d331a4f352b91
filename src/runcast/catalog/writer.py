"""Records into tables: load what a batch touches, apply, store, in one transaction.

The highest number applied of each writer is stored in the same transaction as the data, so a record
counts once however often it is delivered.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence

from runcast.catalog import schema
from runcast.catalog.reader import document
from runcast.catalog.rows import load_marks, load_state, number_of, store_head, store_state
from runcast.catalog.state import Head, Mark, RunState
from runcast.catalog.values import text_in
from runcast.records import Record, RunStarted


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything inside, or nothing; waits for its turn to write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("ROLLBACK")
        raise


def register(connection: sqlite3.Connection, started: RunStarted, *, partial: bool) -> None:
    """See that the run has a row.

    Args:
        partial: its earlier records were delivered to another file, so it must be indexed anew.
    """
    with transaction(connection):
        if number_of(connection, started.run) is None:
            head = Head(started.run)
            head.begin(started)
            store_head(connection, head)
        if partial:
            connection.execute("UPDATE runs SET partial = 1 WHERE id = ?", (text_in(started.run),))


def deliver(connection: sqlite3.Connection, run: str, batch: Sequence[Record]) -> None:
    """Apply what is new of a batch of one run's records."""
    with transaction(connection):
        state = load_state(connection, run, batch)
        applied = sum(state.apply(record) for record in batch)
        if applied:
            _store(connection, state)


def replace(connection: sqlite3.Connection, state: RunState, time: int) -> bool:
    """Put a whole run in the place of what is stored of it.

    Gives False, and changes nothing, where more of some writer is stored than `state` knows: the courier
    was faster than the reader, or the journal was thinned out since.

    Args:
        time: ns since 1970, before the journal was read.
    """
    with transaction(connection):
        n = number_of(connection, state.head.id)
        delivered = n is not None and _is_delivered(connection, n)
        if n is not None:
            for writer, mark in load_marks(connection, n).items():
                if mark.seq > state.marks.get(writer, Mark()).seq:
                    return False
            for table in schema.CHILDREN:
                connection.execute(f"DELETE FROM {table} WHERE run = ?", (n,))  # noqa: S608  # own constant
        n = _store(connection, state)
        connection.execute("UPDATE runs SET partial = 0 WHERE n = ?", (n,))
        if not delivered:  # whom a courier delivers need not be read again
            connection.execute("INSERT INTO readings VALUES (?, ?)", (n, time))
    return True


def _is_delivered(connection: sqlite3.Connection, n: int) -> bool:
    return connection.execute("SELECT 1 FROM readings WHERE run = ?", (n,)).fetchone() is None


def _store(connection: sqlite3.Connection, state: RunState) -> int:
    n = store_state(connection, state)
    # A run that is over is read as often as it is listed, and written no more.
    if state.head.status == "running":
        connection.execute("DELETE FROM documents WHERE run = ?", (n,))
    else:
        connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (n, document(connection, n)))
    return n

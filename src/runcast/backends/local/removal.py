"""Taking a run out of the catalog. Its journal is not the backend's: whoever asks for this removes that."""

from __future__ import annotations

import sqlite3

from runcast.catalog import schema
from runcast.catalog.rows import number_of
from runcast.catalog.writer import transaction


def forget(connection: sqlite3.Connection, run: str) -> None:
    """Delete every row of a run; one that is not there is fine."""
    with transaction(connection):
        number = number_of(connection, run)
        if number is None:
            return
        for table in schema.CHILDREN:
            connection.execute(f"DELETE FROM {table} WHERE run = ?", (number,))  # noqa: S608  # own constant
        connection.execute("DELETE FROM runs WHERE n = ?", (number,))

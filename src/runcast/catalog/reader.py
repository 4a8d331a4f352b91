"""Rows to `RunInfo`: a page of runs takes a handful of queries, never one per run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from runcast.catalog.model import RunInfo, Summary
from runcast.catalog.values import json_in, json_out, number_out, text_out
from runcast.records import Define
from runcast.summaries import best_is, definition

HEAD = (
    "id, experiment, name, status, start_ns, end_ns, parent, group_name, job_type, user, host, error, note, "
    "points, lost"
)
_CHUNK = 500
_decoder = msgspec.json.Decoder(RunInfo)


def infos(connection: sqlite3.Connection, numbers: Sequence[int], home: str) -> list[RunInfo]:
    """Runs by row number, in this order."""
    found = [_from_document(whole) for whole in documents(connection, numbers)]
    for info in found:
        msgspec.structs.force_setattr(info, "home", home)  # not shared with anybody yet
    return found


def documents(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[bytes]:
    """Runs as JSON by row number, in this order; those that are over need no decoding."""
    stored: dict[int, bytes] = {}
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        stored.update(_select(connection, "run, CAST(json AS BLOB)", "documents", part))
    running = load(connection, [n for n in numbers if n not in stored])
    stored.update((n, to_document(info).encode()) for n, info in running)
    return [stored[n] for n in numbers]


def document(connection: sqlite3.Connection, n: int) -> str:
    """One stored run as JSON."""
    ((_, info),) = load(connection, [n])
    return to_document(info)


def to_document(info: RunInfo) -> str:
    """The whole run as JSON, NaN and the infinities as in journals."""
    return json_in(info.to_dict())


def _from_document(data: bytes) -> RunInfo:
    if b'"$' not in data and b"\\ud" not in data:
        return _decoder.decode(data)
    return msgspec.convert(json_out(data), RunInfo)


def load(connection: sqlite3.Connection, numbers: Sequence[int]) -> Iterator[tuple[int, RunInfo]]:
    """Runs by row number, from the tables."""
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        params: dict[int, dict[str, Any]] = {n: {} for n in part}
        tags: dict[int, dict[str, str]] = {n: {} for n in part}
        metrics: dict[int, dict[str, Summary]] = {n: {} for n in part}
        defined: dict[int, dict[str, Define]] = {}
        for n, key, value in _select(connection, "run, key, json", "params", part):
            params[n][text_out(key)] = json_out(value)
        for n, key, value in _select(connection, "run, key, value", "tags", part):
            tags[n][text_out(key)] = text_out(value)
        for n, *said in _select(connection, "run, key, goal, summary", "definitions", part, "rowid"):
            found = define(*said)
            defined.setdefault(n, {})[found.key] = found
        for n, name, *columns in _select(connection, "*", "metrics", part):
            key = text_out(name)
            metrics[n][key] = _with_best(summary(*columns), definition(key, defined.get(n, {})))
        for n, *head in _select(connection, f"n, {HEAD}", "runs", part):
            values: list[Any] = [text_out(value) if isinstance(value, bytes) else value for value in head]
            known = dict(zip(RunInfo.__struct_fields__, values, strict=False))  # the rest are the dicts
            yield n, RunInfo(**known, params=params[n], metrics=metrics[n], tags=tags[n])


def _select(
    connection: sqlite3.Connection, columns: str, table: str, numbers: Sequence[int], order: str = ""
) -> Iterator[tuple[Any, ...]]:
    column = "n" if table == "runs" else "run"
    marks = ",".join("?" * len(numbers))
    query = f"SELECT {columns} FROM {table} WHERE {column} IN ({marks}) ORDER BY {order or column}"  # noqa: S608  # own words and question marks
    return connection.execute(query, numbers)


def define(key: Any, goal: Any, kinds: str) -> Define:
    """A row of the table of definitions."""
    return Define(time=0, key=text_out(key), goal=goal, summary=json_out(kinds))


def _with_best(found: Summary, said: Define | None) -> Summary:
    if said is None or not (said.goal or "best" in said.summary):
        return found
    best, step = (found.max, found.max_step) if best_is(said.goal) == "max" else (found.min, found.min_step)
    return msgspec.structs.replace(found, best=best, best_step=step)


def summary(count: int, step: int, time: int, *rest: Any) -> Summary:
    """A row of a table of summaries, without run and key."""
    first, last, smallest, largest = (number_out(*rest[i : i + 2]) for i in range(0, 8, 2))
    return Summary(count, step, time, first, last, smallest, largest, *rest[8:])

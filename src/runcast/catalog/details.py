"""What is too much for a list of runs and is asked for one run: artifacts, media, inputs, losses, ..."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from runcast import codec
from runcast.catalog.database import connect
from runcast.catalog.index import catalog_path
from runcast.catalog.logged import file_out, files_out
from runcast.catalog.model import ArtifactInfo, LossInfo, MediaInfo, RunInfo, Summary
from runcast.catalog.reader import define, summary
from runcast.catalog.values import json_out, optional_out, text_in, text_out
from runcast.catalog.versions import versions
from runcast.records import Define, FileRef, Input, Trace


def artifacts(run: RunInfo) -> list[ArtifactInfo]:
    """The run's artifacts and models; versions and aliases count over its experiment."""
    with _catalog(run) as connection:
        every = versions(connection, experiment=run.experiment, run=run.id)
    return [found for found in every if found.run == run.id]


def inputs(run: RunInfo) -> list[Input]:
    """What the run used."""
    records = [
        codec.decode(json.encode()) for (json,) in _rows(run, "json", "inputs", "time_ns, writer, seq")
    ]
    return [record for record in records if isinstance(record, Input)]


def traces(run: RunInfo) -> list[Trace]:
    """Traced calls."""
    records = [
        codec.decode(json.encode()) for (json,) in _rows(run, "json", "traces", "start_ns, writer, seq")
    ]
    return [record for record in records if isinstance(record, Trace)]


def environment(run: RunInfo) -> dict[str, Any]:
    """What it ran in."""
    return {text_out(key): json_out(json) for key, json in _rows(run, "key, json", "environment", "key")}


def environment_files(run: RunInfo) -> list[FileRef]:
    """Files about what it ran in."""
    return [file_out(file) for (file,) in _rows(run, "file", "environment_files", "path")]


def system(run: RunInfo) -> dict[str, Summary]:
    """The machine's numbers in short."""
    return {text_out(key): summary(*columns) for _, key, *columns in _rows(run, "*", "system", "key")}


def definitions(run: RunInfo) -> list[Define]:
    """How metrics are summed up."""
    return [
        define(key, goal, kinds)
        for key, goal, kinds in _rows(run, "key, goal, summary", "definitions", "rowid")
    ]


def media(run: RunInfo) -> list[MediaInfo]:
    """Texts and files at steps, in the order of their times."""
    columns = "key, step, time_ns, type, text, file, caption, files, data"
    found = []
    for key, step, time, kind, text, file, caption, files, data in _rows(
        run, columns, "media", "time_ns, writer, seq"
    ):
        one = None if file is None else file_out(file)
        words = text_out(kind), optional_out(text), one, optional_out(caption)
        found.append(MediaInfo(text_out(key), step, time, *words, files_out(files), json_out(data)))
    return found


def losses(run: RunInfo) -> list[LossInfo]:
    """What could not be kept, by key."""
    return [
        LossInfo(text_out(key), text_out(why), count, optional_out(detail))
        for key, why, count, detail in _rows(run, "key, reason, count, detail", "losses", "key, reason")
    ]


def _rows(run: RunInfo, columns: str, table: str, order: str) -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM {table} WHERE run = (SELECT n FROM runs WHERE id = ?) ORDER BY {order}"  # noqa: S608  # own words
    with _catalog(run) as connection:
        return connection.execute(query, (text_in(run.id),)).fetchall()


@contextlib.contextmanager
def _catalog(run: RunInfo) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(connect(catalog_path(run.home))) as connection:
        yield connection

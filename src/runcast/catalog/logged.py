"""Rows of what a run logged beside numbers and settings: media, artifacts, models, inputs, traces, ..."""

from __future__ import annotations

import sqlite3
from typing import Any

from runcast import codec
from runcast.catalog.state import RunState
from runcast.catalog.values import int64, json_in, json_out, optional_in, text_in
from runcast.records import Artifact, FileRef, Input, Media, Model, Trace

MODEL = ("flavor", "step", "signature", "example", "requirements", "register_as", "data")
"""What a model has beside an artifact's fields, as its row keeps it."""


def store_logged(connection: sqlite3.Connection, n: int, state: RunState) -> None:
    """Write what the state holds of run number `n`."""
    insert = connection.executemany
    insert(
        "INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((n, *_media_row(media)) for media in state.media),
    )
    insert(
        "INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((n, *_artifact_row(artifact)) for artifact in state.artifacts),
    )
    insert(
        "INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((n, *_input_row(used)) for used in state.inputs),
    )
    insert(
        "INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((n, *_trace_row(trace)) for trace in state.traces),
    )
    insert(
        "INSERT OR REPLACE INTO definitions VALUES (?, ?, ?, ?)",
        ((n, text_in(key), d.goal, json_in(d.summary)) for key, d in state.definitions.items()),
    )
    insert(
        "INSERT OR REPLACE INTO environment VALUES (?, ?, ?)",
        ((n, text_in(key), json_in(value)) for key, value in state.environment.items()),
    )
    insert(
        "INSERT OR REPLACE INTO environment_files VALUES (?, ?, ?)",
        ((n, text_in(path), file_in(file)) for path, file in state.environment_files.items()),
    )


def file_in(file: FileRef) -> str:
    """A file as JSON."""
    return json_in(_list(file))


def files_in(files: list[FileRef]) -> str:
    """Files as JSON."""
    return json_in([_list(file) for file in files])


def file_out(stored: str | bytes) -> FileRef:
    """Undo `file_in`."""
    return _file(json_out(stored))


def files_out(stored: str | bytes) -> list[FileRef]:
    """Undo `files_in`."""
    return [_file(parts) for parts in json_out(stored)]


def _list(file: FileRef) -> list[Any]:
    return [file.path, file.sha256, file.size, *([file.uri] if file.uri else [])]


def _file(parts: list[Any]) -> FileRef:
    path, sha256, size, *uri = parts
    return FileRef(path, sha256, size, uri=uri[0] if uri else "")


def _media_row(media: Media) -> tuple[object, ...]:
    what = (text_in(media.key), int64(media.step), int64(media.time), text_in(media.type))
    file = None if media.file is None else file_in(media.file)
    words = (optional_in(media.text), optional_in(media.caption))
    return (media.writer, media.seq, *what, *words, file, files_in(media.files), json_in(media.data))


def _artifact_row(artifact: Artifact | Model) -> tuple[object, ...]:
    model = isinstance(artifact, Model)
    kind = "model" if isinstance(artifact, Model) else artifact.type
    prose = "" if isinstance(artifact, Model) else artifact.description
    what = (text_in(artifact.name), text_in(kind), text_in(artifact.digest), int64(artifact.time))
    contents = (json_in(artifact.aliases), json_in(artifact.metadata), files_in(artifact.files))
    more = json_in({name: getattr(artifact, name) for name in MODEL}) if model else None
    return (artifact.writer, artifact.seq, *what, *contents, text_in(prose), more)


def _input_row(used: Input) -> tuple[object, ...]:
    what = (text_in(used.name), text_in(used.type), text_in(used.digest), optional_in(used.run))
    return (used.writer, used.seq, *what, int64(used.time), codec.encode(used).decode())


def _trace_row(trace: Trace) -> tuple[object, ...]:
    top = trace.spans[0] if trace.spans else None
    error = next((span.error for span in trace.spans if span.error is not None), None)
    name = None if top is None else text_in(top.name)
    times = (None, None) if top is None else (int64(top.start), int64(top.end))
    what = (text_in(trace.id), name, *times, len(trace.spans), optional_in(error))
    return (trace.writer, trace.seq, *what, codec.encode(trace).decode())

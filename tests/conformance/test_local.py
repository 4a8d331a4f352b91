"""The catalog, read back with the sqlite3 module; its points stand in the journal."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

from runcast.backends.local import LocalBackend
from runcast.codec import unpack
from runcast.journal import read_run
from runcast.plugins import OpenRun
from runcast.records import Metrics
from runcast.testing import BackendContract, ReadBack


class TestLocal(BackendContract):
    """The index beside the journals."""

    backend = LocalBackend

    def read_back(self, run: OpenRun) -> ReadBack:
        """Tables by plain SQL; files by digest."""
        with closing(sqlite3.connect(run.blobs.parent / "catalog.db")) as db:
            head = db.execute(
                "SELECT n, experiment, name, status, note, parent FROM runs WHERE id = ?", [run.id]
            ).fetchone()
            tables = {
                "params": "SELECT key, json FROM params WHERE run = ?",
                "tags": "SELECT key, value FROM tags WHERE run = ?",
                "metrics": "SELECT key, count, step FROM metrics WHERE run = ?",
                "media": "SELECT key, step, text, type FROM media WHERE run = ? ORDER BY time_ns",
                "artifacts": "SELECT name, files, model FROM artifacts WHERE run = ? ORDER BY time_ns",
                "inputs": "SELECT name FROM inputs WHERE run = ?",
            }
            rows = {name: db.execute(query, head[:1]).fetchall() for name, query in tables.items()}
        texts: dict[str, list[tuple[int, str]]] = {}
        media: dict[str, list[int]] = {}
        for key, step, text, type_ in rows["media"]:
            if type_ == "text":
                texts.setdefault(_text(key), []).append((int(step), _text(text)))
            else:
                media.setdefault(_text(key), []).append(int(step))
        return ReadBack(
            params={_text(key): unpack(json.loads(text)) for key, text in rows["params"]},
            metrics=_points(run, rows["metrics"]),
            tags={_text(key): _text(value) for key, value in rows["tags"]},
            note=_text(head[4] or ""),
            texts=texts,
            artifacts={
                _text(name): _files(run, files) for name, files, model in rows["artifacts"] if not model
            },
            models={name: json.loads(model)["flavor"] for name, _, model in rows["artifacts"] if model},
            status=head[3],
            experiment=_text(head[1]),
            name=_text(head[2]),
            parent=run.parent.id if run.parent and head[5] else "",
            media=media,
            inputs=[_text(name) for (name,) in rows["inputs"]],
        )


def _points(run: OpenRun, summaries: list[Any]) -> dict[str, list[Any]]:
    """The journal's points of each metric, as many as the catalog counts."""
    points: dict[str, list[Any]] = {}
    for record in read_run(run.blobs.parent / "runs" / run.id):
        if isinstance(record, Metrics):
            for key, value in record.values.items():
                points.setdefault(key, []).append((record.step, record.time, value))
    found = {}
    for key, count, step in summaries:
        found[_text(key)] = points[_text(key)][:count]
        assert count <= len(points[_text(key)]), f"{key!r} was counted twice"
        assert int(step) == min(max(found[_text(key)][-1][0], -(2**63)), 2**63 - 1)
    return found


def _files(run: OpenRun, text: str) -> dict[str, bytes]:
    """By digest; content that is not there, or never was, is left out."""
    known = {path: run.blobs / sha[:2] / sha for path, sha, *_ in json.loads(text) if sha.isalnum()}
    return {path: blob.read_bytes() for path, blob in known.items() if blob.is_file()}


def _text(value: str | bytes) -> str:
    """Text that SQLite cannot hold, such as lone surrogates, stands as bytes."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value

"""What is too much for a list of runs and is asked for one run: artifacts, media, losses."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from runcast.catalog.database import connect
from runcast.catalog.index import catalog_path
from runcast.catalog.model import ArtifactInfo, LossInfo, MediaInfo, RunInfo
from runcast.catalog.values import json_out, optional_out, text_in, text_out
from runcast.records import FileRef

# Versions and aliases are worked out when asked, from every run of the experiment, so that a catalog
# that was rebuilt, or filled in another order, gives the same answer.
_ARTIFACTS = """
WITH peers AS (
    SELECT a.*, r.id AS run_id FROM artifacts a JOIN runs r ON r.n = a.run
    WHERE r.experiment = (SELECT experiment FROM runs WHERE id = :run)
      AND a.name IN (SELECT b.name FROM artifacts b JOIN runs s ON s.n = b.run WHERE s.id = :run)
), seen AS (
    SELECT name, digest, DENSE_RANK() OVER (PARTITION BY name ORDER BY MIN(time_ns), digest) - 1 AS version
    FROM peers GROUP BY name, digest
)
SELECT run_id, p.name, type, version, p.digest, aliases, metadata, files, time_ns
FROM peers p JOIN seen s ON s.name = p.name AND s.digest = p.digest
ORDER BY time_ns, run_id, writer, seq
"""


def artifacts(run: RunInfo) -> list[ArtifactInfo]:
    """The run's artifacts; versions and aliases count over its experiment."""
    with _catalog(run) as connection:
        rows = connection.execute(_ARTIFACTS, {"run": text_in(run.id)}).fetchall()
    holders: dict[tuple[Any, str], Any] = {}  # (name, alias) → digest: the last one to claim it
    for _, name, _, _, digest, aliases, *_ in rows:
        for alias in (*json_out(aliases), "latest"):
            holders[name, alias] = digest
    found = []
    for run_id, name, kind, version, digest, _, metadata, files, time in rows:
        if text_out(run_id) == run.id:
            names = sorted(alias for (n, alias), d in holders.items() if n == name and d == digest)
            refs = [FileRef(*file) for file in json_out(files)]
            size = sum(ref.size for ref in refs)
            texts = text_out(name), text_out(kind), version, text_out(digest)
            found.append(ArtifactInfo(*texts, names, json_out(metadata), refs, size, time))
    return found


def media(run: RunInfo) -> list[MediaInfo]:
    """Texts and files at steps, in the order of their times."""
    query = """
        SELECT key, step, time_ns, type, text, path, sha256, size, caption FROM media
        WHERE run = (SELECT n FROM runs WHERE id = ?) ORDER BY time_ns, writer, seq
    """
    with _catalog(run) as connection:
        rows = connection.execute(query, (text_in(run.id),)).fetchall()
    found = []
    for key, step, time, kind, text, path, sha256, size, caption in rows:
        file = None if sha256 is None else FileRef(text_out(path), sha256, size)
        parts = text_out(key), step, time, text_out(kind), optional_out(text), file, optional_out(caption)
        found.append(MediaInfo(*parts))
    return found


def losses(run: RunInfo) -> list[LossInfo]:
    """What could not be kept, by key."""
    query = """
        SELECT key, reason, count, detail FROM losses
        WHERE run = (SELECT n FROM runs WHERE id = ?) ORDER BY key, reason
    """
    with _catalog(run) as connection:
        rows = connection.execute(query, (text_in(run.id),)).fetchall()
    return [LossInfo(text_out(k), text_out(why), count, optional_out(d)) for k, why, count, d in rows]


@contextlib.contextmanager
def _catalog(run: RunInfo) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(connect(catalog_path(run.home))) as connection:
        yield connection

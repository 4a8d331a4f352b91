"""The tables of the catalog, and how one of its files is told from any other.

Everything here is derived from journals. Times are ns since 1970. Columns without a type are explained
in `runcast.catalog.values`; a number ``x`` has its exact form beside it in ``x_exact``.
"""

from __future__ import annotations

import os
import sqlite3

VERSION = 3
"""Stands in ``PRAGMA user_version``; raised with every change of the tables, or of the documents in them."""

APPLICATION_ID = 0x52434154
"""Stands in ``PRAGMA application_id``: "RCAT"."""

TABLES = """
CREATE TABLE catalog (id NOT NULL);        -- one row: tells this file from one that replaced it
CREATE TABLE runs (
    n INTEGER PRIMARY KEY,
    id NOT NULL UNIQUE,
    experiment NOT NULL, name NOT NULL, parent, group_name, job_type, user, host,
    status NOT NULL, start_ns, end_ns, error, note,
    points INTEGER NOT NULL DEFAULT 0,     -- metric values
    lost INTEGER NOT NULL DEFAULT 0,       -- values or records that could not be kept
    partial INTEGER NOT NULL DEFAULT 0     -- 1: delivered in part to an earlier file; index it anew
);
CREATE INDEX runs_by_start ON runs (start_ns);
CREATE INDEX runs_by_experiment ON runs (experiment, start_ns);
CREATE INDEX runs_partial ON runs (id) WHERE partial = 1;
-- A run that is over, whole, as JSON; apart from `runs`, so that scans of that table stay short.
CREATE TABLE documents (run INTEGER PRIMARY KEY, json NOT NULL);
-- When a run was last indexed from its journal instead of delivered: one that goes on is looked at again.
CREATE TABLE readings (run INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL);
CREATE TABLE writers (
    run INTEGER NOT NULL, writer NOT NULL,
    seq INTEGER NOT NULL,                  -- highest record applied
    names,                                 -- JSON list: which names of that record
    began INTEGER NOT NULL, over INTEGER NOT NULL, own INTEGER NOT NULL,
    PRIMARY KEY (run, writer)
) WITHOUT ROWID;
CREATE TABLE params (run INTEGER NOT NULL, key NOT NULL, json NOT NULL, number, PRIMARY KEY (run, key));
CREATE TABLE tags (run INTEGER NOT NULL, key NOT NULL, value NOT NULL, PRIMARY KEY (run, key));
CREATE TABLE metrics (
    run INTEGER NOT NULL, key NOT NULL, count INTEGER NOT NULL, step, time_ns,
    first, first_exact, last, last_exact, min, min_exact, max, max_exact, min_step, max_step,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
-- Looks at the machine: columns as of `metrics`; the step is always 0.
CREATE TABLE system (
    run INTEGER NOT NULL, key NOT NULL, count INTEGER NOT NULL, step, time_ns,
    first, first_exact, last, last_exact, min, min_exact, max, max_exact, min_step, max_step,
    PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE definitions (run INTEGER NOT NULL, key NOT NULL, goal, summary NOT NULL, PRIMARY KEY (run, key));
CREATE TABLE media (
    run INTEGER NOT NULL, writer NOT NULL, seq INTEGER NOT NULL,
    key NOT NULL, step, time_ns, type, text, caption,
    file,                                  -- JSON: [path, sha256, size] and, of a reference, its URI
    files NOT NULL, data NOT NULL,         -- JSON: list of these; an object
    PRIMARY KEY (run, writer, seq)
);
CREATE TABLE artifacts (
    run INTEGER NOT NULL, writer NOT NULL, seq INTEGER NOT NULL,
    name NOT NULL, type, digest NOT NULL, time_ns, aliases NOT NULL, metadata NOT NULL, files NOT NULL,
    description,
    model,                                 -- JSON: what a model has beside; null of any other artifact
    PRIMARY KEY (run, writer, seq)
);
CREATE TABLE inputs (
    run INTEGER NOT NULL, writer NOT NULL, seq INTEGER NOT NULL,
    name NOT NULL, type, digest, source_run, time_ns,
    json NOT NULL,                         -- the whole record
    PRIMARY KEY (run, writer, seq)
);
CREATE INDEX inputs_by_digest ON inputs (digest);
CREATE TABLE environment (run INTEGER NOT NULL, key NOT NULL, json NOT NULL, PRIMARY KEY (run, key));
CREATE TABLE environment_files (run INTEGER NOT NULL, path NOT NULL, file NOT NULL, PRIMARY KEY (run, path));
CREATE TABLE traces (
    run INTEGER NOT NULL, writer NOT NULL, seq INTEGER NOT NULL,
    id NOT NULL, name, start_ns, end_ns, spans INTEGER NOT NULL, error,
    json NOT NULL,                         -- the whole record
    PRIMARY KEY (run, writer, seq)
);
CREATE TABLE losses (
    run INTEGER NOT NULL, key NOT NULL, reason NOT NULL, count INTEGER NOT NULL, detail,
    PRIMARY KEY (run, key, reason)
);
"""

CHILDREN = (
    "documents", "readings", "writers", "params", "tags", "metrics", "system", "definitions", "media",
    "artifacts", "inputs", "environment", "environment_files", "traces", "losses",
)  # fmt: skip
"""Tables whose rows belong to a run."""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(TABLES)
    connection.execute("INSERT INTO catalog VALUES (?)", (os.urandom(16).hex(),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")

"""Which contents something still needs, by whatever names them: journals, the registry, W&B's folders.

A name counts wherever it stands, also in a damaged line or in a record of a kind that this version does not
know: digests are looked for as text. So more may be kept than is needed, and never less.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import sqlite3
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import msgspec

from runcast.errors import JournalError
from runcast.formats import wandb_log
from runcast.journal import Layout, segment_paths

_NAMED = re.compile(rb'"([0-9a-f]{64}|[0-9a-f]{32})"')
"""A digest, or the name of a snapshot, as JSON has it."""
_RUN = re.compile(rb'"(?:run|parent)":"([^"\\]+)"')
_NOTE = re.compile(rb"([0-9a-f]{64}) ")


def of_journals(layout: Layout, runs: Iterable[str]) -> Iterator[str]:
    """Digests and names of snapshots in the journals of these runs.

    Raises:
        JournalError: a segment cannot be read, so that nobody knows what it needs.
    """
    for run in runs:
        yield from _said(layout, run, _NAMED)


def runs_named(layout: Layout, run: str) -> set[str]:
    """Ids of the runs that a run is nested in, or used files of.

    Raises:
        JournalError: as `of_journals`.
    """
    return set(_said(layout, run, _RUN)) - {run}


def _said(layout: Layout, run: str, pattern: re.Pattern[bytes]) -> Iterator[str]:
    for path in segment_paths(layout.journal(run)):
        try:
            with path.open("rb") as file:
                if not path.stat().st_size:  # which cannot be mapped
                    continue
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    yield from (match[1].decode(errors="replace") for match in pattern.finditer(content))
        except OSError as error:
            raise JournalError(
                f"{path} cannot be read ({error.strerror}), so nobody knows what it needs; "
                "make it readable, or move the run's folder away"
            ) from error


def of_snapshots(layout: Layout, names: Iterable[str]) -> Iterator[str]:
    """Digests that were found of snapshots; the record goes on naming the snapshot."""
    for name in names:
        if len(name) == 32:
            with contextlib.suppress(OSError):
                if found := _NOTE.match((layout.blobs / "held" / f"{name}.sha256").read_bytes()):
                    yield found[1].decode()


def of_registry(layout: Layout) -> tuple[set[str], dict[str, str]]:
    """Digests in the local registry, and runcast's ids of runs that it names, with the version.

    Raises:
        JournalError: it cannot be read.
    """
    digests: set[str] = set()
    runs: dict[str, str] = {}
    if not layout.registry.exists():
        return digests, runs
    try:
        uri = f"{layout.registry.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            texts = connection.execute(
                "SELECT name, version, data FROM versions UNION ALL SELECT name, NULL, data FROM events"
            ).fetchall()
    except sqlite3.Error as error:
        raise JournalError(
            f"{layout.registry} cannot be read ({error}), so nobody knows what it needs"
        ) from error
    for name, version, data in texts:
        digests.update(match[1].decode() for match in _NAMED.finditer(data.encode()))
        run = msgspec.json.decode(data).get("run") if version is not None else None
        if run:
            runs.setdefault(run, f"{name} v{version}")
    return digests, runs


def of_catalog(layout: Layout, going: Container[str]) -> set[str]:
    """Digests of artifacts of listed runs: where a file was large, the journal does not have them."""
    if not layout.catalog.exists():
        return set()
    query = "SELECT runs.id, artifacts.digest FROM artifacts JOIN runs ON runs.n = artifacts.run"
    try:
        uri = f"{layout.catalog.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            return {str(digest) for run, digest in connection.execute(query) if run not in going}
    except sqlite3.Error:  # it can be made anew, and so can the folders that this is about
        return set()


def of_wandb(folders: Iterable[Path]) -> Iterator[str]:
    """Digests of blobs that a W&B run written offline points at, and that was not uploaded yet.

    Args:
        folders: each with ``offline-run-...`` folders in it.
    """
    for folder in folders:
        for log in sorted(folder.glob("offline-run-*/run-*.wandb")):
            if is_uploaded(log.parent):
                continue
            for entry in wandb_log.read(log):
                if isinstance(entry, wandb_log.Artifact):
                    yield from (Path(file.local_path).name for file in entry.entries if file.local_path)


def is_uploaded(folder: Path) -> bool:
    """Whether W&B's client has marked an offline run's log as uploaded."""
    return any(folder.glob("run-*.wandb.synced"))

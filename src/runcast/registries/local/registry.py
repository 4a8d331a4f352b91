"""`LocalRegistry`: each call is one transaction, so there is nothing to finish after a kill."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from runcast.errors import Reject
from runcast.journal import Blobs, Layout, ProcessLock
from runcast.plugins.registry import Candidate, Event, ModelVersion, Registry, lost
from runcast.registries.local.database import opened


class LocalRegistry(Registry):
    """Model versions in runcast's folder."""

    name: ClassVar[str] = "local"

    @property
    def _layout(self) -> Layout:
        return Layout(self.folder)

    def names(self) -> list[str]:
        """Every registered model, sorted."""
        with opened(self._layout.registry) as connection:
            if connection is None:
                return []
            rows = connection.execute("SELECT DISTINCT name FROM versions ORDER BY name").fetchall()
        return [name for (name,) in rows]

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version, with the aliases that point to it."""
        with opened(self._layout.registry) as connection:
            return [] if connection is None else _versions(connection, name)

    def register(self, candidate: Candidate) -> ModelVersion:
        """Keep the files, then insert the version."""
        lock = ProcessLock(self._layout.alive)  # `runcast gc` leaves the folder alone meanwhile
        try:
            return self._register(candidate)
        finally:
            lock.release()

    def _register(self, candidate: Candidate) -> ModelVersion:
        blobs = Blobs(self._layout.blobs, sync=True)
        for path, file in candidate.files.items():
            digest, _ = blobs.put_file(file)
            if digest != candidate.digests[path]:
                raise Reject(
                    f"{file} changed while it was registered; register it when nobody writes into it"
                )
        with opened(self._layout.registry, write=True) as connection:
            assert connection is not None  # noqa: S101  # as it is to be written
            known = _versions(connection, candidate.name)
            for version in known:
                if version.identity == candidate.identity:
                    return version
            made = ModelVersion(
                registry=self.name,
                name=candidate.name,
                version=max(known[-1].version + 1 if known else 1, candidate.number or 1),
                created=candidate.time,
                by=candidate.by,
                run=candidate.run,
                ref=candidate.run,
                digest=candidate.digest,
                files=dict(candidate.digests),
                metrics=dict(candidate.metrics),
                source=str(self._layout.blobs.absolute()),
                model=dict(candidate.model),
                identity=candidate.identity,
                origin=dict(candidate.origin),
            )
            connection.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?)",
                (made.name, made.version, made.identity, _json(made)),
            )
        return made

    def update(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str | None]
    ) -> None:
        """Write the version's row again."""
        with opened(self._layout.registry, write=True) as connection:
            assert connection is not None  # noqa: S101  # as it is to be written
            [found] = [v for v in _versions(connection, name) if v.version == version]
            changed = found.model_copy(
                update={
                    "description": found.description if description is None else description,
                    "tags": {k: text for k, text in {**found.tags, **tags}.items() if text is not None},
                }
            )
            connection.execute(
                "UPDATE versions SET data = ? WHERE name = ? AND version = ?", (_json(changed), name, version)
            )

    def events(self, name: str) -> list[Event]:
        """Every event, in the order of their insertion."""
        with opened(self._layout.registry) as connection:
            if connection is None:
                return []
            rows = connection.execute("SELECT data FROM events WHERE name = ? ORDER BY n", (name,)).fetchall()
        return [Event.model_validate_json(data) for (data,) in rows]

    def move(self, name: str, event: Event) -> None:
        """Compare, write and move in one transaction."""
        with opened(self._layout.registry, write=True) as connection:
            assert connection is not None  # noqa: S101  # as it is to be written
            query = "SELECT version FROM aliases WHERE name = ? AND alias = ?"
            holder = connection.execute(query, (name, event.alias)).fetchone()
            now = None if holder is None else int(holder[0])
            if event.action != "noticed" and now != event.previous:
                raise lost(name, event, now)
            if event.version is None:
                connection.execute("DELETE FROM aliases WHERE name = ? AND alias = ?", (name, event.alias))
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (name, event.alias, event.version)
                )
            done = event.model_copy(update={"state": "done"})
            connection.execute(
                "INSERT INTO events (name, id, data) VALUES (?, ?, ?)",
                (name, done.id, done.model_dump_json()),
            )

    def finish(self, name: str, event: Event) -> None:
        """Nothing is ever half done."""

    def fetch(self, name: str, version: int, folder: Path) -> None:
        """Copy the blobs."""
        blobs = Blobs(self._layout.blobs)
        [found] = [v for v in self.versions(name) if v.version == version]
        for path, digest in found.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(blobs.path(digest), target)
            except FileNotFoundError:
                raise Reject(
                    f"{path} of {found} is gone from {blobs.root}: register the version again, or restore "
                    "the folder"
                ) from None

    def remove(self, name: str, versions: Sequence[int], *, whole: bool) -> None:
        """Delete rows; the history stays, and so do files that other versions or runs may share."""
        with opened(self._layout.registry, write=True) as connection:
            assert connection is not None  # noqa: S101  # as it is to be written
            connection.executemany(
                "DELETE FROM versions WHERE name = ? AND version = ?", [(name, number) for number in versions]
            )


def _versions(connection: sqlite3.Connection, name: str) -> list[ModelVersion]:
    query = "SELECT data FROM versions WHERE name = ? ORDER BY version"
    found = [ModelVersion.model_validate_json(data) for (data,) in connection.execute(query, (name,))]
    held: dict[int, list[str]] = {}
    for alias, version in connection.execute(
        "SELECT alias, version FROM aliases WHERE name = ? ORDER BY alias", (name,)
    ):
        held.setdefault(version, []).append(alias)
    return [version.model_copy(update={"aliases": held.get(version.version, [])}) for version in found]


def _json(version: ModelVersion) -> str:
    return version.model_dump_json(exclude={"aliases", "stage"})

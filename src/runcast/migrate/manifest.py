"""What is kept about one migration, so that it can go on, be listed, verified and taken back.

``<dir>/migrations/<id>/`` holds ``manifest.json`` and, except for the destination ``local``, the journals
and the delivery state of the runs that are on their way, laid out like any runcast folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from runcast import codec
from runcast.errors import JournalError, UsageError
from runcast.journal import Layout, make_private, write_atomically
from runcast.receipts import Ref

State = Literal["staged", "delivered", "failed", "conflict", "removed"]


class RunEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One run of a migration.

    Attributes:
        source: the source's id.
        run: runcast's id.
        experiment, name: as in the source.
        version: of the source when it was last staged as a whole; see `FoundRun.version`.
        state: ``staged``: read as a whole, not all of it delivered; ``failed``, ``conflict``: see `reason`.
        reason: why it failed, or what is incomplete, with the mend.
        records, points: how many are in the journal because of this migration.
        changes: how much the destination got in another form.
        rejected: how many records it refused.
        ref: where it is in the destination.
        there: version of the destination after the last delivery, see `runcast.migrate.target`.
        time: ns since 1970 of the last change.
    """

    source: str
    run: str
    experiment: str = ""
    name: str = ""
    version: str = ""
    state: State = "staged"
    reason: str = ""
    records: int = 0
    points: int = 0
    changes: int = 0
    rejected: int = 0
    ref: Ref | None = None
    there: str = ""
    time: int = 0


class Said(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a version was called when it was last brought; see `ModelEntry.said`."""

    description: str = ""
    tags: dict[str, str] = {}
    stage: str = ""


class ModelEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One registered model of a migration.

    Attributes:
        source: its name in the source.
        name: its name in the destination.
        version: digest of the model in the source when it was last brought as a whole.
        state: as of a run; ``staged``: begun, not all of it is there.
        reason: why it failed, or what is incomplete, with the mend.
        versions: number in the source → number in the destination.
        said: number in the source → what this migration has said of the version in the destination.
        aliases: as the destination spells them, that this migration has placed.
        whole: nobody had a model of this name in the destination before.
        there: digest of what the destination holds of it after the last delivery.
        time: ns since 1970 of the last change.
    """

    source: str
    name: str
    version: str = ""
    state: State = "staged"
    reason: str = ""
    versions: dict[int, int] = {}
    said: dict[int, Said] = {}
    aliases: list[str] = []
    whole: bool = False
    there: str = ""
    time: int = 0


class Manifest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One migration.

    Attributes:
        id: see `runcast.migrate.address.migration_id`.
        source, destination: addresses without credentials.
        backend: the destination's.
        options: of the backend, without credentials.
        target: the destination's own runcast directory, where the destination is ``local``.
        created, changed: ns since 1970.
        runs: source's id → what became of the run.
        models: name in the source → what became of the registered model.
    """

    id: str
    source: str
    destination: str
    backend: str = ""
    options: dict[str, Any] = {}
    target: str = ""
    created: int
    changed: int = 0
    runs: dict[str, RunEntry] = {}
    models: dict[str, ModelEntry] = {}


class Folder:
    """Where one migration's files are.

    Args:
        root: the runcast directory.
        id: the migration's.
        target: the destination's own runcast directory, where the destination is ``local``.
    """

    def __init__(self, root: Path, id: str, target: Path | None = None) -> None:
        self.path = root / "migrations" / id
        self.layout = Layout(target or self.path)

    def load(self) -> Manifest | None:
        """The manifest, None where the migration is new.

        Raises:
            UsageError: it is damaged; the message has the mend.
        """
        path = self.path / "manifest.json"
        try:
            return codec.from_json(path.read_bytes(), Manifest)
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            mend = "move its folder away and migrate again: what is in the destination is found again"
            raise UsageError(f"{path} is damaged ({type(error).__name__}): {mend}") from error

    def save(self, manifest: Manifest) -> None:
        """Durably, in one step.

        Raises:
            JournalError: the disk refuses.
        """
        manifest.changed = time.time_ns()
        try:
            make_private(self.path)
            write_atomically(self.path / "manifest.json", codec.to_json(manifest))
        except OSError as error:
            mend = "free space or make it writable, then migrate again: nothing comes twice"
            raise JournalError(f"{self.path} cannot be written ({error.strerror}): {mend}") from error

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the one process that works on this migration.

        Raises:
            JournalError: another one does, or the disk refuses.
        """
        try:
            make_private(self.path)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise JournalError(
                f"another process is at work on migration {self.path.name}: wait for it, or end it"
            ) from None
        try:
            yield
        finally:
            os.close(lock)


def opened(root: Path, id: str) -> tuple[Folder, Manifest]:
    """A migration by its id, or the beginning of it.

    Raises:
        UsageError: there is none, or several, or its manifest is damaged.
    """
    found = [path.parent.name for path in sorted((root / "migrations").glob("*/manifest.json"))]
    fitting = [name for name in found if id and name.startswith(id)]
    if len(fitting) != 1:
        why = f"{len(fitting)} migrations begin with {id!r}" if fitting else f"there is no migration {id!r}"
        raise UsageError(f"{why} in {root}; `runcast migrations` lists them")
    manifest = Folder(root, fitting[0]).load()
    if manifest is None:
        raise UsageError(f"migration {fitting[0]} is gone from {root}")
    return Folder(root, manifest.id, Path(manifest.target) if manifest.target else None), manifest


def manifests(root: Path) -> list[Manifest]:
    """Every migration, newest first; damaged ones are left out."""
    found: list[Manifest] = []
    for path in sorted((root / "migrations").glob("*/manifest.json")):
        try:
            manifest = Folder(root, path.parent.name).load()
        except UsageError:
            continue
        if manifest is not None:
            found.append(manifest)
    return sorted(found, key=lambda manifest: -manifest.created)

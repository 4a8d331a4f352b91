"""Runs as one file, to be kept or handed on: `export` writes it, ``local:FILE`` reads it.

It is a ZIP laid out as a runcast directory: the journals as they stand, the files that they name, and the
registry where every run goes along. Unpacked by any program, the folder is one that ``local:PATH`` reads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from runcast.errors import ConfigError, JournalError, UsageError
from runcast.journal import Blobs, JournalReader, Layout, make_private, segment_paths, settle
from runcast.plugins.source import FoundRun, Selection
from runcast.records import files_of
from runcast.registries.local import LocalRegistry
from runcast.sources.local import LocalSource


class Exported(BaseModel):
    """What went into an archive.

    Attributes:
        file: where it is.
        runs: ids of the runs.
        files: how many contents of files.
        models: names of registered models.
        bytes: size of the archive.
        missing: what a run names and nobody has any more, each with its run.
        problems: id of each run that was left out → why.
    """

    file: str
    runs: list[str]
    files: int
    models: list[str]
    bytes: int
    missing: list[str]
    problems: dict[str, str]


def export(
    target: Path,
    selection: Selection | None = None,
    *,
    folder: Path | None = None,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Exported:
    """Write runs into one file; it is there whole, or not at all.

    Args:
        target: the file.
        selection: which runs; all of them, and the registry, where left out.
        folder: the runcast directory; the configured one where left out.
        tell: called with runs done and all runs.

    Raises:
        UsageError: the file exists, or there is no such run.
        ConfigError: the folder is none.
        OSError: the disk refuses.
    """
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists: choose another name, or remove it first")
    source = LocalSource(str(folder) if folder is not None else "")
    root = Path(source.identity)
    if root.is_file():
        raise UsageError(f"{root} is an archive already")
    layout = Layout(root)
    found = list(source.runs(selection or Selection()))
    asked = set(selection.runs if selection is not None else ())
    if unknown := asked - {run.id for run in found}:
        raise UsageError(f"no run {min(unknown)!r} in {root}; `runcast runs` lists them")
    if not found:
        raise UsageError(f"there is no such run in {root}; `runcast runs` lists them")
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "w+b") as file:
            compression = zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(file, "w", compression, compresslevel=1, strict_timestamps=False) as archive:
                writing = _Writing(archive, layout)
                for number, run in enumerate(found):
                    tell(number, len(found))
                    writing.run(run)
                if selection is None or selection == Selection():
                    writing.registry()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return Exported(
        file=str(target),
        runs=writing.runs,
        files=writing.files,
        models=writing.models,
        bytes=target.stat().st_size,
        missing=writing.missing,
        problems=writing.problems,
    )


class _Writing:
    """The archive while it is written."""

    def __init__(self, archive: zipfile.ZipFile, layout: Layout) -> None:
        self.runs: list[str] = []
        self.models: list[str] = []
        self.missing: list[str] = []
        self.problems: dict[str, str] = {}
        self.files = 0
        self._added: set[Path] = set()
        self._archive = archive
        self._layout = layout
        self._blobs = Blobs(layout.blobs)

    def run(self, run: FoundRun) -> None:
        """One run's journal, as it is now, and the files that it names."""
        if run.problem:
            self.problems[run.id] = run.problem
            return
        with tempfile.TemporaryDirectory(prefix="runcast-") as scratch:
            # A copy, because a run that goes on must not name files that were not looked for.
            copy = Layout(Path(scratch)).journal(run.id)
            make_private(copy)
            for path in segment_paths(self._layout.journal(run.id)):
                shutil.copyfile(path, copy / path.name)
            try:
                files = sorted(self._files(copy, run.id))
            except JournalError as error:
                self.problems[run.id] = str(error)
                return
            for path in segment_paths(copy):
                self._archive.write(path, path.relative_to(scratch).as_posix())
        for digest, held in files:
            if held:
                self._add(self._layout.blobs / "held" / f"{held}.sha256")
            self._content(digest, run.id)
        self.runs.append(run.id)

    def _files(self, journal: Path, run: str) -> set[tuple[str, str]]:
        """Digest of each file of a run, and the name of the snapshot that it was, if it was one."""
        found = set()
        reader = JournalReader(journal, run=run)
        while records := reader.read():
            for record in records:
                before = files_of(record)
                after = files_of(settle(record, self._blobs)) if before else []
                found |= {(b.sha256, a.held) for a, b in zip(before, after, strict=True) if not b.uri}
        return found

    def _content(self, digest: str, owner: str) -> None:
        if self._blobs.holds(digest):
            self.files += self._add(self._blobs.path(digest))
        else:
            self.missing.append(f"{owner}: {digest}")

    def _add(self, path: Path) -> bool:
        """Whether it was not there yet."""
        if path in self._added or path.is_symlink() or not path.is_file():
            return False
        self._archive.write(path, path.relative_to(self._layout.root).as_posix())
        self._added.add(path)
        return True

    def registry(self) -> None:
        """The registry as it is now, and the files of its versions."""
        if not self._layout.registry.is_file():
            return
        registry = LocalRegistry(None, self._layout.root, self._layout.root)
        with tempfile.TemporaryDirectory(prefix="runcast-") as scratch:
            copy = Path(scratch) / "registry.db"
            try:
                origin = sqlite3.connect(f"{self._layout.registry.as_uri()}?mode=ro", uri=True)
                with contextlib.closing(origin), contextlib.closing(sqlite3.connect(copy)) as target:
                    origin.backup(target)
            except sqlite3.Error as error:
                raise ConfigError(f"the registry {self._layout.registry} cannot be read: {error}") from None
            self._archive.write(copy, "registry.db")
        for name in registry.names():
            self.models.append(name)
            for version in registry.versions(name):
                for digest in version.files.values():
                    self._content(digest, str(version))

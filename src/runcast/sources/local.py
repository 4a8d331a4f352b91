"""Runcast's own journals: ``local:`` is the configured folder, ``local:PATH`` another one, or an archive.

The journal is what was said, so nothing has to be guessed: records come back as they are, without their
writers, in the order in which a courier would have delivered them. A folder may also be one that another
machine wrote; it is only read, and content of files is copied by its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import msgspec

from runcast.config import load
from runcast.errors import ConfigError, JournalError, SourceError
from runcast.journal import Blobs, JournalReader, Layout, ends, segment_paths, settle
from runcast.plugins.registry import ModelVersion, RegisteredModel
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import FileRef, Lost, Metrics, Record, RunFinished, RunStarted, Status, files_of
from runcast.registries import reading
from runcast.registries.local import LocalRegistry
from runcast.sources.archive import Archive

LOST_EXPERIMENT = "default"
"""Of runs whose own is lost, as live delivery calls it."""


class LocalSource(Source):
    """Reads a runcast directory."""

    name: ClassVar[str] = "local"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        if address:
            self._place = Path(address).expanduser().absolute()
        else:
            config = load({})
            self._place = config.base / config.settings.dir

    @property
    def identity(self) -> str:
        """The directory's real path, or the archive's."""
        return str(self._place.resolve())

    @cached_property
    def _archive(self) -> Archive | None:
        return Archive(self._place) if self._place.is_file() else None

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self._place if self._archive is None else self._archive.root)

    def _have(self, *starts: str) -> None:
        """Have members of the archive unpacked; a folder has everything."""
        if self._archive is not None:
            for start in starts:
                self._archive.unpack(start)

    def close(self) -> None:
        """Remove what was unpacked."""
        archive = self.__dict__.pop("_archive", None)
        self.__dict__.pop("_layout", None)
        if archive is not None:
            archive.close()

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """Every run that has a first record, oldest first."""
        self._have("runs/")
        if not self._layout.runs.is_dir():
            raise ConfigError(f"{self._place} is no runcast folder: it has no runs/; see `runcast doctor`")
        found = [run for id_ in self._layout.run_ids() if (run := self._found(id_)) is not None]
        yield from sorted(filter(selection.has, found), key=lambda run: (run.started or 0, run.id))

    def _found(self, id_: str) -> FoundRun | None:
        segments = []
        try:
            for path in segment_paths(self._layout.journal(id_)):
                if (segment := ends(path)) is not None:
                    segments.append((path, segment))
        except (JournalError, OSError) as error:
            return FoundRun(id=id_, experiment="", name=id_, runcast=id_, problem=str(error))
        firsts = [segment.first for _, segment in segments if isinstance(segment.first, RunStarted)]
        if not firsts:
            return self._headless(id_)
        first = min(firsts, key=lambda record: record.time)
        lasts = [r for _, segment in segments for r in segment.last if isinstance(r, RunFinished)]
        status: Status = max(lasts, key=lambda record: record.time).status if lasts else "running"
        sizes = [f"{path.stem}:{path.stat().st_size}" for path, _ in segments]
        return FoundRun(
            id=id_,
            experiment=first.experiment,
            name=first.name,
            parent=first.parent,
            status=status,
            started=first.time,
            version=" ".join(sizes),
            runcast=id_,
        )

    def _headless(self, id_: str) -> FoundRun | None:
        """A run whose first record cannot be read; None where nothing was written yet."""
        reader = JournalReader(self._layout.journal(id_), run=id_)
        try:
            first = next(iter(reader.read(1)), None)
        except JournalError as error:
            return FoundRun(id=id_, experiment="", name=id_, runcast=id_, problem=str(error))
        if first is None and not reader.damage:
            return None
        sizes = [f"{path.stem}:{path.stat().st_size}" for path in segment_paths(self._layout.journal(id_))]
        return FoundRun(
            id=id_,
            experiment=LOST_EXPERIMENT,
            name=f"run-{id_[:6]}",
            status="crashed",
            started=first.time if first is not None else 0,
            version=" ".join(sizes),
            runcast=id_,
            problem="the beginning of its journal is damaged: its experiment and name are lost",
        )

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """The journal's records, with every file copied into `blobs`."""
        self._have(f"runs/{run.id}/", "blobs/held/")
        if not segment_paths(self._layout.journal(run.id)):
            raise SourceError(f"there is no run {run.id!r} in {self._place}: `runcast runs` lists them")
        own = Blobs(self._layout.blobs)
        reader = JournalReader(self._layout.journal(run.id), run=run.id)
        if run.problem:
            first = RunStarted(time=run.started or 0, run="", experiment=run.experiment, name=run.name)
            yield from self._carried(run, first, own, blobs)
        try:
            while records := reader.read():
                for record in records:
                    if type(record) is Metrics:  # nearly all of them
                        yield Metrics(time=record.time, step=record.step, values=record.values)
                        continue
                    yield from self._carried(run, settle(record, own), own, blobs)
        except JournalError as error:
            raise SourceError(f"run {run.id}: {error}") from error
        for damage in reader.damage:
            yield Lost(time=run.started or 0, key="", reason=damage.message, count=max(1, damage.missing))

    def registered(self) -> Iterator[RegisteredModel]:
        """Every model of the folder's registry."""
        self._have("registry.db")
        yield from reading.models(self._registry)

    def files(self, version: ModelVersion, blobs: Blobs) -> list[FileRef]:
        """The version's files, copied by their digests."""
        self._have("registry.db", *(f"blobs/{digest[:2]}/{digest}" for digest in version.files.values()))
        return reading.files(self._registry, version, blobs)

    @property
    def _registry(self) -> LocalRegistry:
        return LocalRegistry(None, self._layout.root, self._layout.root)

    def _carried(self, run: FoundRun, record: Record, own: Blobs, blobs: Blobs) -> Iterator[Record]:
        """The record without its writer, after its files; a `Lost` for each that is gone."""
        for file in files_of(record):
            if file.sha256 and not file.uri:
                self._have(f"blobs/{file.sha256[:2]}/{file.sha256}")
                if problem := _carry(file, own, blobs):
                    yield Lost(time=record.time, key=file.path, reason=problem)
        record = msgspec.structs.replace(record, writer="", seq=0)
        if isinstance(record, RunStarted):
            origin = record.origin or {"tracker": "local", "id": run.id, "url": self.identity, "extra": {}}
            record = msgspec.structs.replace(record, run="", backends={}, routes={}, origin=origin)
        yield record


def _carry(file: FileRef, own: Blobs, blobs: Blobs) -> str:
    """Copy one file's content; gives why that could not be, or ""."""
    if not own.holds(file.sha256):
        return f"the content of {file.path} is gone from {own.root}: there is no such file"
    try:
        found, _ = blobs.put_file(own.path(file.sha256))
    except OSError as error:
        return f"the content of {file.path} is gone from {own.root}: {error.strerror or error}"
    return "" if found == file.sha256 else f"the content of {file.path} in {own.root} is not what was logged"

"""`MlflowSource`: finds runs in one MLflow store and gives them back as records."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from runcast.backends.mlflow.inputs import TYPE
from runcast.backends.mlflow.plan import KEYMAP
from runcast.backends.mlflow.runs import RUN_ID
from runcast.backends.mlflow.uris import Store, mask, parse
from runcast.errors import ConfigError, Halt, SourceError
from runcast.journal import Blobs
from runcast.plugins.registry import ModelVersion, RegisteredModel
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import FileRef, Lost, Record
from runcast.sources.mlflow import head, models, points, registry, traces
from runcast.sources.mlflow.client import ClientReader
from runcast.sources.mlflow.folder import FolderReader
from runcast.sources.mlflow.native import Native
from runcast.sources.mlflow.overlay import Overlay
from runcast.sources.mlflow.said import Said, is_own
from runcast.sources.mlflow.sql import SqlReader
from runcast.sources.mlflow.stored import OUTSIDE, Reader, StoredRun

_time = attrgetter("time")


class MlflowSource(Source):
    """Reads ``mlflow:`` and a tracking URI (``sqlite:///x.db``, ``http://...``) or folder (``./mlruns``)."""

    name: ClassVar[str] = "mlflow"
    # MLflow brings it along; its databases and folders are read without MLflow itself.
    requires: ClassVar[Mapping[str, str]] = {"yaml": "runcast[mlflow]"}

    def __init__(self, address: str) -> None:
        super().__init__(address or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db")
        self._place: Path | Store = _folder(self.address) or _store(self.address)
        self._opened: Reader | None = None
        self._found: dict[str, StoredRun] = {}

    @property
    def identity(self) -> str:
        """The database's or folder's real path, or the URL without credentials."""
        place = self._place
        if isinstance(place, Path):
            return str(place.resolve())
        if place.database is not None:
            return f"sqlite:///{place.database.resolve()}"
        parts = urlsplit(place.uri)
        host = parts.netloc.rpartition("@")[2].lower()
        return f"{parts.scheme.partition('+')[0]}://{host}{parts.path.rstrip('/')}"

    @property
    def is_remote(self) -> bool:
        """Where a server is asked."""
        return not isinstance(self._place, Path) and self._place.kind not in ("sqlite", "sql")

    @property
    def _reader(self) -> Reader:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> Reader:
        place = self._place
        if isinstance(place, Path):
            return FolderReader(place)
        return SqlReader(place) if place.kind in ("sqlite", "sql") else ClientReader(place)

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """Every selected run that is not deleted, the oldest first.

        Raises:
            ConfigError: the store is not there.
        """
        with self._sound():
            for run in self._every(selection.has_experiment, selection.runs):
                found = self._describe(run)
                if selection.has(found):
                    yield found

    def _every(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        if not ids or any(id_.startswith(OUTSIDE) for id_ in ids):
            yield from (run for run in self._reader.outside(experiment) if not ids or run.id in ids)
        yield from self._reader.runs(experiment, ids)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """A damaged database may hold anything anywhere: text where numbers belong, half a JSON."""
        try:
            yield
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            place = mask(self.address)
            raise SourceError(f"{place} is damaged: {type(error).__name__}: {error}") from error

    def _describe(self, run: StoredRun) -> FoundRun:
        looks = (run.name, run.status, run.end, sorted(run.tags.items()), run.points, run.change)
        state = self._reader.files(run.files).state() if run.files else ""
        version = hashlib.blake2b(repr((looks, state)).encode("utf-8", "replace"), digest_size=16)
        self._found[run.id] = run
        return FoundRun(
            id=run.id, experiment=run.experiment, name=run.name or run.id, parent=run.tags.get(head.PARENT),
            status=head.status(run), started=(run.start or 0) * head.MS, version=version.hexdigest(),
            runcast=run.tags.get(RUN_ID, ""), points=run.points,
        )  # fmt: skip

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """One run; as runcast's backend was told it, where that wrote it."""
        with self._sound():
            yield from self._read(run, blobs)

    def _read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        stored = self._found.get(run.id)
        if stored is None:
            stored = next(self._every(lambda name: name == run.experiment, (run.id,)), None)
        if stored is None:
            raise SourceError(f"run {run.id} is not in {mask(self.address)} any more")
        files = self._reader.files(stored.files)
        try:
            paths = files.paths()
            gone = []
        except SourceError as error:
            paths, gone = [], [Lost(time=(stored.start or 0) * head.MS, key="artifacts", reason=str(error))]
        with Said(files) as said:
            ours = RUN_ID in stored.tags
            if ours:
                said.open(paths, stored.tags.get(KEYMAP))
            yield from self._records(stored, said, paths, blobs)
            yield from gone
            yield from head.finished(stored, said)[-1:]

    def _records(self, run: StoredRun, said: Said, paths: list[str], blobs: Blobs) -> Iterator[Record]:
        reader = self._reader
        starts = head.started(run, said, self._url(run))
        ends = head.finished(run, said)
        yield starts[0]
        params = reader.params(run) if run.params is None else run.params
        yield from head.settings(run, params, said, starts[0].time)
        lost: list[Lost] = []

        def trouble(key: str, reason: str) -> None:
            lost.append(Lost(time=starts[0].time, key=key, reason=reason))

        files = reader.files(run.files)
        logged = reader.models(run)
        measured: Iterator[Record]
        others: Iterator[Record]
        if said.whole:
            found = reader.traces(run) if said.traces else ()
            ours = traces.Natives(trace for trace in found if trace.id in said.traces)
            measured = points.said(reader.points(run, trouble), said.rows(), said.name)
            others = Overlay(reader, run.id, files, logged, ours, blobs).records(said)
        else:
            name = said.name if RUN_ID in run.tags else str
            stored = iter(()) if run.outside else reader.points(run, trouble)
            measured = points.plain(stored, name)
            others = iter(())
        yield from self._added(run, said, paths, blobs, starts[0].time)
        middle: list[Record] = sorted([*starts[1:], *ends[:-1]], key=_time)
        yield from _by_time(measured, others, iter(middle))
        yield from lost

    def _added(
        self, run: StoredRun, said: Said, paths: list[str], blobs: Blobs, time: int
    ) -> Iterator[Record]:
        """What runcast's lines do not speak of: all of it, where runcast did not write the run."""
        reader = self._reader
        native = Native(reader.files(run.files), blobs, time)
        ours = RUN_ID in run.tags
        added = [p for p in paths if not ours or not (p.startswith("runcast/") or p in said.places)]
        yield from native.records(added, head.tables(run.tags))
        whole = said.whole
        found = [] if run.outside else reader.datasets(run)
        yield from native.datasets([d for d in found if not whole or TYPE not in d.tags])
        if not whole and not run.outside:
            yield from self._used(run, blobs, time)
        for model in reader.models(run):
            if whole and any(map(is_own, model.tags)):
                continue
            try:
                yield models.record(model, reader.files(model.files), blobs)
            except (OSError, SourceError) as error:
                yield Lost(time=time, key=model.name, reason=f"the model cannot be read: {error}")
        for trace in reader.traces(run):
            if (
                not (whole and trace.id in said.traces)
                and (record := traces.record(trace, reader.maker)) is not None
            ):
                yield record

    def _used(self, run: StoredRun, blobs: Blobs, time: int) -> Iterator[Record]:
        for model in self._reader.used(run):
            try:
                yield models.used(model, self._reader.files(model.files), blobs, time)
            except (OSError, SourceError) as error:
                yield Lost(time=time, key=model.name, reason=f"a model that it used cannot be read: {error}")

    def _url(self, run: StoredRun) -> str:
        if run.outside:
            return ""
        if isinstance(self._place, Path):
            return f"{self.identity}/{run.experiment_id}/{run.id}"
        return self._place.ref(run.id, run.experiment_id).url or ""

    def registered(self) -> Iterator[RegisteredModel]:
        """Every model of the registry, with its versions."""
        for model in self._reader.registered():
            yield registry.plain(model, self._last_values)

    def _last_values(self, run: str) -> dict[str, float]:
        """Of the metrics of a run; none where it is gone."""
        found = next(self._reader.runs(lambda name: True, (run,)), None) if run else None
        last: dict[str, tuple[int, int, float]] = {}
        for ms, step, key, value in self._reader.points(found, lambda key, why: None) if found else ():
            if key not in last or (step, ms) >= last[key][:2]:
                last[key] = step, ms, value
        return {key: value for key, (_, _, value) in last.items()}

    def files(self, version: ModelVersion, blobs: Blobs) -> list[FileRef]:
        """The version's files, wherever it says that they are."""
        return registry.files(self._reader, version, blobs)

    def close(self) -> None:
        """Let go of the connection."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _by_time(*streams: Iterator[Record]) -> Iterator[Record]:
    return heapq.merge(*streams, key=_time)


def _store(address: str) -> Store:
    try:
        return parse(address, lambda path: Path.cwd() / path)
    except Halt as error:
        raise ConfigError(str(error)) from None


def _folder(address: str) -> Path | None:
    """The folder that an address names, None where it is a URI of a database or server."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).absolute()
    if parts.scheme and ":" in address and not Path(address).exists():
        return None
    return Path(address).expanduser().absolute()

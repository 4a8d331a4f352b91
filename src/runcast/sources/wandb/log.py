"""One run of a folder: what its logs say as a whole, and what happened, in a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runcast.errors import SourceError
from runcast.formats import wandb_log
from runcast.plugins.source import FoundRun
from runcast.records import Define, System
from runcast.sources.wandb import folder, surroundings
from runcast.sources.wandb.about import About, Event, Held, HeldFile, Missing, Row
from runcast.sources.wandb.folder import FolderFiles
from runcast.sources.wandb.summary import Changes

_HISTORY, _SUMMARY, _STATS, _ARTIFACT, _OUTPUT = 2, 3, 7, 8, 13
_WHOLE = (5, 12, 17, 18, 26)
"""Kinds that say what the run is as a whole, beside the summary."""
_TOGETHER = 16 << 10
"""Bytes of rows that are decoded at once."""
_BAD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)


class Folder:
    """A folder of runs; see `runcast.sources.wandb.folder.home`."""

    def __init__(self, address: str) -> None:
        self._place = folder.home(address)
        self._logs: dict[str, list[Path]] = {}

    @property
    def identity(self) -> str:
        """The real path."""
        return str(self._place.resolve())

    def runs(self) -> Iterator[FoundRun]:
        """Every run, the oldest first."""
        self._logs = {}
        return folder.runs(self._place)

    def run(self, id_: str, scratch: Path) -> LoggedRun:
        """One run, to be read.

        Raises:
            SourceError: it is not there any more.
        """
        if id_ not in self._logs:  # a look goes through every run's folder: not for each run
            self._logs = folder.logs(self._place)
        paths = self._logs.get(id_)
        if not paths or not all(path.is_file() for path in paths):
            raise SourceError(f"wandb: run {id_} is not in {self._place} any more")
        return LoggedRun(id_, paths, scratch)

    def close(self) -> None:
        """Nothing is held open."""


class LoggedRun:
    """A run in a folder.

    What is written after this was made is left for the next reading.

    Raises:
        OSError: a log cannot be read.
    """

    def __init__(self, id_: str, paths: list[Path], scratch: Path) -> None:
        self._scratch = scratch
        self._sizes = {path: path.stat().st_size for path in paths}
        self.files = FolderFiles([path.parent for path in paths])
        self._gathered = _Gathered(id_)
        change = self._gathered.summary.take
        for path in paths:
            for kind, begin, end, payload in self._said(path):
                if kind == _SUMMARY:  # nearly all of them
                    change(payload[begin:end])
                else:
                    self._gathered.take(kind, payload)
        self._printed = self._gathered.printed
        self.about = self._gathered.about()
        status, _ = folder.ending(paths)
        word = self.about.own.get("status")
        self.about.status = status if status != "failed" or word != "crashed" else "crashed"
        self.about.console = self._console

    def _said(self, path: Path) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, beginning and end of what each record but rows says, and the record; no damage."""
        kind_of = wandb_log.kind_of
        with path.open("rb") as stream:
            for payload in wandb_log.payloads(stream, self._sizes[path]):
                if isinstance(payload, wandb_log.Damage):
                    continue
                try:
                    kind, begin, end = kind_of(payload)
                except ValueError:
                    continue
                if kind != _HISTORY:
                    yield kind, begin, end, payload

    def events(self) -> Iterator[Event]:
        """Rows, looks at the machine, artifacts and damage, in the order of the log."""
        for path in self._sizes:
            with path.open("rb") as stream:
                yield from self._events(wandb_log.payloads(stream, self._sizes[path]), path)

    def _events(self, payloads: Iterator[bytes | wandb_log.Damage], path: Path) -> Iterator[Event]:
        kind_of, damage = wandb_log.kind_of, wandb_log.Damage
        waiting: list[bytes] = []
        size = 0
        for payload in payloads:
            if isinstance(payload, damage):
                event: Iterator[Event] = self._damage(payload, path)
            else:
                try:
                    kind, begin, end = kind_of(payload)
                except ValueError as error:
                    event = self._damage(damage(-1, str(error)), path)
                else:
                    if kind == _HISTORY:
                        waiting.append(payload[begin:end])
                        size += end - begin
                        if size < _TOGETHER:
                            continue
                        event = iter(())
                    elif kind in (_STATS, _ARTIFACT):
                        event = _event(wandb_log.entry(payload), path)
                    else:
                        continue
            yield from _rows(waiting, path)
            waiting, size = [], 0
            yield from event
        yield from _rows(waiting, path)

    def _damage(self, found: wandb_log.Damage, path: Path) -> Iterator[Missing]:
        cut = found.reason.startswith(("cut", "the record's end"))
        being_written = self.about.status == "running" and self._sizes[path] - found.at < wandb_log.BLOCK
        if not (cut and being_written):
            yield Missing(f"{path.name} at byte {found.at}: {found.reason}")

    def _console(self) -> Path | None:
        if not self._printed:
            return None
        place = self._scratch / "output.log"
        with place.open("wb") as out:
            for path in self._sizes:
                for kind, _, _, payload in self._said(path):
                    if kind == _OUTPUT:
                        entry = wandb_log.entry(payload)
                        if isinstance(entry, wandb_log.Output):
                            out.write(entry.text.encode("utf-8", "surrogateescape"))
        return place if place.stat().st_size else None


def _rows(contents: list[bytes], path: Path) -> Iterator[Event]:
    """What history records say: all at once, or, where one of them is odd, one by one."""
    if (together := wandb_log.rows(contents)) is not None:
        yield from map(Row, together)
        return
    for content in contents:
        try:
            values = wandb_log.row(content)
        except _BAD as error:
            yield Missing(f"{path.name}: a row that cannot be decoded: {error}")
        else:
            yield Row(values)


def _event(entry: wandb_log.Entry | wandb_log.Damage, path: Path) -> Iterator[Event]:
    if isinstance(entry, wandb_log.Damage):
        yield Missing(f"{path.name}: {entry.reason}")
    elif isinstance(entry, wandb_log.Stats):
        values = {k: v for k, v in entry.values.items() if isinstance(v, (int, float))}
        if values:
            yield System(time=entry.time_ns, values=values)
    elif isinstance(entry, wandb_log.Artifact):
        yield _held(entry)


def _held(entry: wandb_log.Artifact) -> Held:
    try:
        metadata = json.loads(entry.metadata or "{}")
    except ValueError:
        metadata = {"text": entry.metadata}
    return Held(
        name=entry.name,
        type=entry.type,
        description=entry.description,
        metadata=metadata if isinstance(metadata, dict) else {"value": metadata},
        aliases=list(entry.aliases),
        use=entry.use,
        client_id=entry.client_id,
        digest=entry.digest,
        files=lambda: [_held_file(file) for file in entry.entries],
    )


def _held_file(file: wandb_log.ManifestEntry) -> HeldFile:
    place = Path(file.local_path) if file.local_path else None
    return HeldFile(path=file.path, uri=file.ref, digest=file.digest, size=file.size, fetch=lambda: place)


class _Gathered:
    """What the records say of the run as a whole, the later ones over the earlier.

    Attributes:
        summary: takes the summary's records.
        printed: whether the script printed anything.
    """

    def __init__(self, id_: str) -> None:
        self._id = id_
        self._run = wandb_log.Run(run_id=id_)
        self._config: dict[str, Any] = {}
        self.summary = Changes()
        self.printed = False
        self._metrics: dict[str, wandb_log.Metric] = {}
        self._environment: dict[str, Any] = {}
        self._username = ""
        self._exit: wandb_log.Exit | None = None
        self._first = 0

    def take(self, kind: int, payload: bytes) -> None:
        """One record, and its kind; the summary's go into `summary`."""
        self.printed = self.printed or kind == _OUTPUT
        if kind not in _WHOLE:
            return
        entry = wandb_log.entry(payload)
        if isinstance(entry, wandb_log.Config):
            merge(self._config, entry.update)
            for key in entry.remove:
                _remove(self._config, key)
        elif isinstance(entry, wandb_log.Run):
            merge(self._config, entry.config)
            self._first = self._first or entry.start_ns
            self._run = entry
        elif isinstance(entry, wandb_log.Exit):
            self._exit = entry
        elif isinstance(entry, wandb_log.Metric):
            self._metrics[entry.name or entry.glob] = entry
        elif isinstance(entry, wandb_log.Environment):
            merge(self._environment, surroundings.of_log(entry))
            self._username = entry.username or self._username

    def about(self) -> About:
        """The run."""
        run, start = self._run, self._first
        ended = None
        if self._exit is not None:
            ended = (run.start_ns or start) + self._exit.runtime * 10**9
        return About(
            id=self._id, entity=run.entity, project=run.project, name=run.name, group=run.group,
            job_type=run.job_type, notes=run.notes, tags=list(run.tags), host=run.host, user=self._username,
            sweep=run.sweep, started=start, ended=ended, config=self._config,
            summary=self.summary.value(),
            defined=[define for metric in self._metrics.values() if (define := _define(metric, start))],
            axes={_plain(m): _dots(m.step_metric) for m in self._metrics.values() if m.step_metric},
            environment=self._environment,
        )  # fmt: skip


def _define(metric: wandb_log.Metric, time: int) -> Define | None:
    goals = {"minimize": "minimize", "maximize": "maximize"}
    goal: Any = goals.get(metric.goal)
    if not metric.summary and goal is None:
        return None
    return Define(time=time, key=_plain(metric), goal=goal, summary=list(metric.summary))


def _plain(metric: wandb_log.Metric) -> str:
    return _dots(metric.name or metric.glob)


def _dots(name: str) -> str:
    return name.replace("\\.", ".")


def merge(into: dict[str, Any], update: dict[str, Any]) -> None:
    """As W&B does: dicts into dicts, anything else in place of what was there."""
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def _remove(config: dict[str, Any], key: str) -> None:
    if key in config:
        del config[key]
        return
    *above, last = key.split(".")
    level: Any = config
    for name in above:
        level = level.get(name) if isinstance(level, dict) else None
    if isinstance(level, dict):
        level.pop(last, None)

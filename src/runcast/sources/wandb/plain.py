"""Runs that W&B's own client wrote, as records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runcast.backends.wandb.rows import TIMES
from runcast.formats.wandb_log import SUMMARIES
from runcast.journal import Blobs
from runcast.journal.held import digest
from runcast.records import (
    Artifact,
    Environment,
    FileRef,
    Input,
    Lost,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
)
from runcast.sources.wandb.about import Event, Held, Missing, Row, Run
from runcast.sources.wandb.contents import take
from runcast.sources.wandb.media import Cells
from runcast.sources.wandb.rows import Said, as_number, flat, step_of, time_of

_SURROUNDINGS = ("requirements.txt", "diff.patch", "conda-environment.yaml")
_MADE = frozenset({"config.yaml", "wandb-summary.json", "wandb-metadata.json", "output.log", *_SURROUNDINGS})
"""Files that W&B's client makes of what stands in the records."""
_GENERATED = ("run_table", "wandb-")
"""Types of artifacts that W&B makes of tables and of the history."""
_RESERVED = frozenset({"_wandb", "_step", "_timestamp", "_runtime", TIMES})


class Plain:
    """Turns what W&B has into records.

    Args:
        run: as W&B has it.
        blobs: take contents.
        said: knows the rows that runcast's backend wrote.
    """

    def __init__(self, run: Run, blobs: Blobs, said: Said | None = None) -> None:
        self._run, self._about, self._blobs = run, run.about, blobs
        own = run.about.own
        self._names = {str(k): str(v) for k, v in _dict(own.get("keymap")).items()}
        self._said = said or Said({str(k): str(v) for k, v in _dict(own.get("axes")).items()}, self._names)
        labels = _dict(_dict(run.about.config.get("_wandb")).get("mask/class_labels"))
        self._cells = Cells(run.files, blobs, labels)
        self._time = run.about.started
        self._step = 0
        self._last: dict[str, Any] = {}

    def records(self) -> Iterator[Record]:
        """The whole run."""
        yield from self._beginning()
        for event in self._run.events():
            if isinstance(event, Held) and event.type.startswith(_GENERATED):
                self._cells.tables[event.client_id] = event
                continue
            yield from self.take(event)
        yield from self._cells.rest()
        over = self._about.status != "running"
        yield from self._summary()
        if over:
            yield from self._files()
            end = max(self._about.ended or 0, self._time)
            yield RunFinished(time=end, status=self._about.status)

    def take(self, event: Event) -> Iterable[Record]:
        """What one event says."""
        if not isinstance(event, Row):
            return self._beside(event)
        try:
            return self._row(event.values)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            return [Lost(time=self._time, key="", reason=f"a row that cannot be understood: {error}")]

    def _beside(self, event: System | Held | Missing) -> Iterator[Record]:
        if isinstance(event, System):
            time = event.time if 0 < event.time < 1 << 63 else self._time
            self._time = max(self._time, time)
            yield System(time=time, values=event.values)
        elif isinstance(event, Held):
            yield from self._artifact(event)
        elif isinstance(event, Missing):
            yield Lost(time=self._time, key="", reason=event.reason, count=event.count)

    def _beginning(self) -> Iterator[Record]:
        about, time = self._about, self._about.started
        extra = {**about.extra, **({"axes": about.axes} if about.axes else {})}
        extra |= {"sweep": about.sweep} if about.sweep else {}
        shown = {
            k: v for k, v in _dict(about.config.get("_wandb")).items() if k in ("visualize", "viz") and v
        }
        extra |= {"charts": shown} if shown else {}
        yield RunStarted(
            time=time, run="", experiment=about.project or "uncategorized", name=about.name or about.id,
            parent=str(about.own["parent"]) if about.own.get("parent") else None,
            group=about.group or None, job_type=about.job_type or None, user=about.user or None,
            host=about.host or None,
            origin={"tracker": "wandb", "id": about.id, "url": about.url, "extra": extra},
        )  # fmt: skip
        params = {
            self._names.get(key, key): value
            for key, value in about.config.items()
            if key not in ("_wandb", "wandb_version", "runcast")
        }
        if params:
            yield Params(time=time, values=params)
        if about.tags:
            yield Tags(time=time, values=dict.fromkeys(about.tags, ""))
        if about.notes:
            yield Note(time=time, text=about.notes)
        yield from about.defined
        files = []
        for name in _SURROUNDINGS:
            if (place := self._run.files.get(name)) is not None:
                with contextlib.suppress(OSError):
                    files.append(take(self._blobs, name, place))
        if about.environment or files:
            yield Environment(time=time, values=about.environment, files=files)
        if about.own:
            reason = "files/runcast/residual.jsonl is gone: the run comes as W&B shows it, not as it was said"
            yield Lost(time=time, key="", reason=reason)

    def _row(self, values: dict[str, Any]) -> list[Record]:
        step, time = step_of(values), time_of(values, self._time)
        self._time, self._step = max(self._time, time), step
        ours = TIMES in values
        said: list[Metrics] = self._said.metrics(values) if ours else []
        numbers: set[str] = set()
        for metrics in said:
            numbers |= metrics.values.keys()
            self._last.update(metrics.values)
        plain: dict[str, Any] = {}
        media: list[Record] = []
        names, last, from_server = self._names, self._last, self._about.from_server
        for spelled, cell in flat(values) if dict in map(type, values.values()) else values.items():
            if spelled in _RESERVED:
                continue
            name = names.get(spelled, spelled)
            if ours and (name in numbers or spelled.startswith("runcast/")):
                continue
            number = cell if type(cell) is float else as_number(cell, from_server=from_server)
            last[spelled] = cell if number is None else number
            if number is not None:
                plain[name] = number
            else:
                media += self._cells.records(name, step, time, cell)
        if plain:
            return [*said, Metrics(time=time, step=step, values=plain), *media]
        return [*said, *media]

    def _artifact(self, held: Held) -> Iterator[Record]:
        files: list[FileRef] = []
        for file in held.files():
            if file.uri:
                sha = file.digest if len(file.digest) == 64 else ""
                files.append(FileRef(file.path, sha, file.size, uri=file.uri))
                continue
            place = file.fetch()
            try:
                if place is None:
                    raise OSError("it is gone")
                files.append(take(self._blobs, file.path, place))
            except OSError as error:
                reason = f"the content of {file.path} cannot be read: {error.strerror or error}"
                yield Lost(time=self._time, key=held.name, reason=reason)
        aliases = [alias for alias in held.aliases if alias != "latest"]  # W&B gives it by itself
        if held.use:
            yield Input(
                time=self._time, name=held.name, type=held.type or "file", digest=digest(files),
                version=held.version or None, run=held.made_by or None,
                alias=aliases[0] if aliases else None, files=files, metadata=held.metadata,
                origin=held.origin({}),
            )  # fmt: skip
        else:
            yield Artifact(
                time=self._time, name=held.name, type=held.type or "file", files=files, digest=digest(files),
                aliases=aliases, metadata=held.metadata, description=held.description,
                origin=held.origin({}),
            )  # fmt: skip

    def _summary(self) -> Iterator[Record]:
        """What the script put into the summary: names that no row has, and values that are not the last."""
        numbers: dict[str, Any] = {}
        defined = {define.key for define in self._about.defined}
        for spelled, cell in flat(self._about.summary):
            name = self._names.get(spelled, spelled)
            head, _, aggregate = spelled.rpartition(".")
            derived = spelled in defined or (aggregate in SUMMARIES and head in self._last)
            if spelled.split(".")[0] in _RESERVED or spelled.startswith("runcast/") or derived:
                continue
            if spelled in self._last or name in self._last:
                last = self._last.get(spelled, self._last.get(name))
                if _same(cell, last) or self._about.status in ("running", "crashed"):
                    continue
                name = f"summary/{name}"
            number = as_number(cell, from_server=self._about.from_server)
            if number is not None:
                numbers[name] = number
            elif cell is not None:
                yield from self._cells.records(name, self._step, self._time, cell)
        if numbers:
            yield Metrics(time=self._time, step=self._step, values=numbers)

    def _files(self) -> Iterator[Record]:
        """What the script saved beside its records, and what it printed."""
        saved = []
        for path in self._run.files.names():
            if path in _MADE or path in self._cells.used or path.startswith("runcast/"):
                continue
            place = self._run.files.get(path)
            try:
                if place is None:
                    raise OSError("it is gone")
                saved.append(take(self._blobs, path, place))
            except OSError as error:
                yield Lost(time=self._time, key=path, reason=f"it cannot be read: {error.strerror or error}")
        if saved:
            yield self._bundle("files", "file", saved)
        console: Path | None = self._about.console()
        if console is not None:
            yield self._bundle("console", "log", [take(self._blobs, "output.log", console)])

    def _bundle(self, name: str, kind: str, files: list[FileRef]) -> Artifact:
        return Artifact(
            time=self._time, name=f"{self._about.id}-{name}", type=kind, files=files, digest=digest(files)
        )


def _same(cell: Any, last: Any) -> bool:
    if isinstance(cell, float) and isinstance(last, float) and cell != cell:
        return last != last
    return bool(cell == last) or (isinstance(cell, str) and as_number(cell, from_server=True) is not None)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

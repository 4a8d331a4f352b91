"""What a tracker holds of one run, in runcast's terms; and what it should hold, by the plainest model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runcast import records
from runcast.records import (
    Artifact,
    Input,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Scalar,
    System,
    Tags,
    Trace,
)

Point = tuple[int, "int | None", Scalar]
"""Step, time in ns since 1970 (None where the tracker has none for a single point), value."""


class Reference(bytes):
    """The URI of a file that stays elsewhere; each tracker shows such a file in its own way."""


@dataclass
class ReadBack:
    """What somebody who knows nothing of the backend finds in the tracker.

    ``None`` stands for what the tracker has no place for; the backend's capabilities must say so too.

    Attributes:
        params: name → value.
        metrics: name → points; the order matters only among points of one step.
        tags: name → value.
        note: the description; ``""`` where there is none.
        texts: name → (step, text), in order.
        artifacts: name → path → content, of the version that was logged last.
        status: a `runcast.records.Status`, or the tracker's nearest word of these.
        experiment, name: what the run is called.
        parent: the tracker's own id of the parent run, as in its `Ref`; ``""`` for none.

    The rest may be left out, where the tracker has no tool that lists it:

    Attributes:
        media: name → steps at which there is something to see; of everything but texts.
        system: name → (time in ns, value).
        traces: names of the outermost spans.
        models: name → flavor, in runcast's words.
        inputs: names.
    """

    params: Mapping[str, Any] | None = None
    metrics: Mapping[str, list[Point]] | None = None
    tags: Mapping[str, str] | None = None
    note: str | None = None
    texts: Mapping[str, list[tuple[int, str]]] | None = None
    artifacts: Mapping[str, Mapping[str, bytes]] | None = None
    status: str | None = None
    experiment: str | None = None
    name: str | None = None
    parent: str | None = None
    media: Mapping[str, list[int]] | None = None
    system: Mapping[str, list[tuple[int, Scalar]]] | None = None
    traces: list[str] | None = None
    models: Mapping[str, str] | None = None
    inputs: list[str] | None = None


@dataclass
class Model:
    """A run held perfectly: each record once, however often and in however many parts it comes.

    Attributes:
        blobs: folder of content-addressed files, for the content of artifacts.
        parent: the id of the parent run, as the tracker spells it.
    """

    blobs: Path
    parent: str = ""
    started: RunStarted | None = None
    status: str = "running"
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, list[Point]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    note: str = ""
    texts: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    media: dict[str, list[int]] = field(default_factory=dict)
    system: dict[str, list[tuple[int, Scalar]]] = field(default_factory=dict)
    traces: list[str] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    _seen: set[tuple[str, int, str | None]] = field(default_factory=set)

    def take(self, said: Iterable[Record]) -> Model:
        """Apply records; those that came before change nothing."""
        for record in said:
            names: Iterable[str | None] = getattr(record, "values", None) or (None,)
            fresh = [name for name in names if (record.writer, record.seq, name) not in self._seen]
            self._seen.update((record.writer, record.seq, name) for name in fresh)
            if fresh:
                self._apply(record, fresh)
        return self

    def _apply(self, record: Record, names: list[Any]) -> None:
        if isinstance(record, Metrics):
            for name in names:
                point = (record.step, record.time, record.values[name])
                self.metrics.setdefault(name, []).append(point)
        elif isinstance(record, Params):
            self.params.update({name: record.values[name] for name in names if name in record.values})
        elif isinstance(record, Tags):
            self.tags.update({name: record.values[name] for name in names if name in record.values})
        elif isinstance(record, Note):
            self.note = record.text
        elif isinstance(record, System):
            for name in names:
                self.system.setdefault(name, []).append((record.time, record.values[name]))
        elif isinstance(record, Media) and record.type != "text":
            self.media.setdefault(record.key, []).append(record.step)
        elif isinstance(record, Trace):
            self.traces.append(record.spans[0].name if record.spans else "")
        elif isinstance(record, records.Model):
            self.models[record.name] = record.flavor
        elif isinstance(record, Input):
            self.inputs.append(record.name)
        elif isinstance(record, Media):
            self.texts.setdefault(record.key, []).append((record.step, record.text or ""))
        elif isinstance(record, Artifact):
            self.artifacts[record.name] = record
        elif isinstance(record, RunStarted):
            self.started, self.status = record, "running"
        elif isinstance(record, RunFinished):
            self.status = record.status

    def read_back(self) -> ReadBack:
        """The run, as a tracker without any limit would show it."""
        return ReadBack(
            params=dict(self.params),
            metrics={name: list(points) for name, points in self.metrics.items()},
            tags=dict(self.tags),
            note=self.note,
            texts={name: list(texts) for name, texts in self.texts.items()},
            artifacts={name: self._content(record) for name, record in self.artifacts.items()},
            status=self.status,
            experiment=self.started.experiment if self.started else "",
            name=self.started.name if self.started else "",
            parent=self.parent,
            media={name: list(steps) for name, steps in self.media.items()},
            system={name: list(points) for name, points in self.system.items()},
            traces=list(self.traces),
            models=dict(self.models),
            inputs=list(self.inputs),
        )

    def _content(self, record: Artifact) -> dict[str, bytes]:
        return {
            f.path: Reference(f.uri.encode())
            if f.uri
            else (self.blobs / f.sha256[:2] / f.sha256).read_bytes()
            for f in record.files
        }

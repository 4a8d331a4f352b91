"""What the catalog knows of one run, as plain data: records go in one by one, no SQL here.

Records come in journal order, some of them again. Each counts once: a writer's numbers only rise, so a
record at or below the highest number applied is passed over. The one exception are the parts into
which `runcast.records.split` cuts a record: they share its number and differ by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runcast.catalog.values import int64
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
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


@dataclass(slots=True)
class Head:
    """The run's own row; times are ns since 1970."""

    id: str
    experiment: str = ""
    name: str = ""
    parent: str | None = None
    group: str | None = None
    job_type: str | None = None
    user: str | None = None
    host: str | None = None
    status: str = "running"
    start: int | None = None
    end: int | None = None
    error: str | None = None
    note: str | None = None
    points: int = 0
    lost: int = 0

    def begin(self, started: RunStarted) -> None:
        """Take over what a process said when it began; the first start stays."""
        self.experiment, self.name = started.experiment, started.name
        self.parent = started.parent or self.parent
        self.group, self.job_type = started.group, started.job_type
        self.user, self.host = started.user, started.host
        self.start = started.time if self.start is None else min(self.start, started.time)


@dataclass(slots=True)
class Mark:
    """How far one writer's records have been applied, and whether it still logs.

    Attributes:
        seq: highest record applied.
        names: names of that record that were applied, where it has names.
        began: it said that it started the run; processes forked from it do not.
        over: its end was said. own: it said so itself.
    """

    seq: int = 0
    names: set[str] = field(default_factory=set)
    began: bool = False
    over: bool = False
    own: bool = False


@dataclass(slots=True)
class Tally:
    """Summary of one metric. NaN counts, but is neither smallest nor largest; of equals the first counts."""

    count: int = 0
    step: int = 0
    time: int = 0
    first: Scalar | None = None
    last: Scalar | None = None
    min: Scalar | None = None
    max: Scalar | None = None
    min_step: int | None = None
    max_step: int | None = None

    def add(self, step: int, time: int, value: Scalar) -> None:
        """One more point."""
        if self.count == 0:
            self.first = value
        self.count += 1
        self.step, self.time, self.last = step, time, value
        if value == value:
            if self.min is None or value < self.min:
                self.min, self.min_step = value, step
            if self.max is None or value > self.max:
                self.max, self.max_step = value, step


@dataclass(slots=True)
class Loss:
    """What was lost of one key for one reason."""

    count: int = 0
    detail: str | None = None


@dataclass(slots=True)
class RunState:
    """One run; holds all of it, or as much as a batch touches."""

    head: Head
    marks: dict[str, Mark] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Tally] = field(default_factory=dict)
    losses: dict[tuple[str, str], Loss] = field(default_factory=dict)
    media: list[Media] = field(default_factory=list)
    artifacts: list[Artifact | Model] = field(default_factory=list)
    system: dict[str, Tally] = field(default_factory=dict)
    definitions: dict[str, Define] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    environment_files: dict[str, FileRef] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)

    def apply(self, record: Record) -> bool:
        """Take one record in; False where it had been applied before."""
        fresh = self._fresh(record)
        if fresh is not None:
            self._apply(fresh)
        return fresh is not None

    def _fresh(self, record: Record) -> Record | None:
        """What of the record is new."""
        mark = self.marks.setdefault(record.writer, Mark())
        values: Mapping[str, Any] | None = getattr(record, "values", None)
        if record.seq > mark.seq:
            mark.seq, mark.names = record.seq, set(values or ())
            return record
        if record.seq < mark.seq or values is None:
            return None
        new = {key: value for key, value in values.items() if key not in mark.names}
        mark.names.update(new)
        return msgspec.structs.replace(record, values=new) if new else None

    def _apply(self, record: Record) -> None:
        if isinstance(record, (Metrics, System)):
            self._count(record)
        elif isinstance(record, Params):
            self.params.update(record.values)
        elif isinstance(record, Tags):
            self.tags.update(record.values)
        elif isinstance(record, Note):
            self.head.note = record.text
        elif isinstance(record, Media):
            self.media.append(record)
        elif isinstance(record, (Artifact, Model)):
            self.artifacts.append(record)
        elif isinstance(record, Input):
            self.inputs.append(record)
        elif isinstance(record, Trace):
            self.traces.append(record)
        elif isinstance(record, Environment):
            self.environment.update(record.values)
            self.environment_files.update((file.path, file) for file in record.files)
        elif isinstance(record, Define):
            self.definitions.pop(record.key, None)  # the last pattern that fits counts
            self.definitions[record.key] = record
        elif isinstance(record, Lost):
            loss = self.losses.setdefault((record.key, record.reason), Loss())
            loss.count = int64(loss.count + record.count)
            loss.detail = record.detail
            self.head.lost = int64(self.head.lost + record.count)
        elif isinstance(record, RunStarted):
            self._begin(record)
        elif isinstance(record, RunFinished):
            self._finish(record)

    def _count(self, record: Metrics | System) -> None:
        step, time = record.step if isinstance(record, Metrics) else 0, record.time
        tallies = self.metrics if isinstance(record, Metrics) else self.system
        for key, value in record.values.items():
            tally = tallies.get(key)
            if tally is None:
                tally = tallies[key] = Tally()
            tally.add(step, time, value)
        if isinstance(record, Metrics):
            self.head.points += len(record.values)

    def _begin(self, record: RunStarted) -> None:
        mark = self.marks[record.writer]
        mark.began, mark.over, mark.own = True, False, False
        self.head.begin(record)
        self.head.status, self.head.end, self.head.error = "running", None, None

    def _finish(self, record: RunFinished) -> None:
        own = record.of is None
        mark = self.marks.setdefault(record.of or record.writer, Mark())
        if mark.own and not own:
            return  # its own last word counts
        mark.over, mark.own = True, own
        began = [each for each in self.marks.values() if each.began]
        # A worker process that was forked may end when it likes: the run ends with those who began it.
        if began and (not mark.began or not all(each.over for each in began)):
            return
        self.head.status, self.head.end, self.head.error = record.status, record.time, record.error

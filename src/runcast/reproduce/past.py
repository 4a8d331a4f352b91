"""What the journal says about one run: code, command, environment, data, params and points."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runcast.catalog.query import run as find_run
from runcast.errors import UsageError
from runcast.journal import Blobs, Layout, read_run
from runcast.records import (
    Environment,
    FileRef,
    Input,
    Metrics,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Scalar,
    Tags,
)

Points = dict[str, list[tuple[int, Scalar]]]
"""Metric → (step, value), in the order in which they were logged."""


@dataclass
class Past:
    """One run.

    Attributes:
        home: absolute folder of journals that holds it.
        started: its first record.
        status, error: how it ended; ``running`` where it has not.
        values: its surroundings, see ``docs/capture.md``.
        files: ``diff.patch``, ``requirements.txt``, by name.
        seeds: every seed that was recorded, in order, each once.
    """

    home: Path
    started: RunStarted
    status: str = "running"
    error: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, FileRef] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: Points = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)

    @property
    def id(self) -> str:
        """runcast's id."""
        return self.started.run

    @property
    def name(self) -> str | None:
        """Its name; None where runcast made it up."""
        return None if self.started.name == f"run-{self.id[:6]}" else self.started.name

    def part(self, name: str) -> dict[str, Any]:
        """One table of its surroundings, such as ``git``; empty where it was not recorded."""
        found = self.values.get(name)
        return found if isinstance(found, dict) else {}

    def content(self, name: str) -> bytes | None:
        """A file of its surroundings; None where it has none, or the content is gone."""
        file = self.files.get(name)
        if file is None or not file.sha256:
            return None
        try:
            return Blobs(Layout(self.home).blobs).path(file.sha256).read_bytes()
        except OSError:
            return None

    def take(self, record: Record) -> None:
        """Add one record."""
        if isinstance(record, Metrics):
            for key, value in record.values.items():
                self.points.setdefault(key, []).append((record.step, value))
        elif isinstance(record, Params):
            self.params |= record.values
        elif isinstance(record, Tags):
            self.tags |= record.values
        elif isinstance(record, Input):
            self.inputs.append(record)
        elif isinstance(record, RunFinished):
            self.status, self.error = record.status, record.error
        elif isinstance(record, Environment):
            self.values |= record.values
            self.files |= {file.path: file for file in record.files}
            seed = self.part("seeds").get("seed")
            if isinstance(seed, int) and seed not in self.seeds:
                self.seeds.append(seed)


def find(run: str, dir: str | Path | None = None) -> Past:
    """The run with this id, beginning of an id, or name.

    Raises:
        UsageError: there is none, or several, or its journal is gone.
    """
    info = find_run(run, dir=dir)
    return read(Path(info.home), info.id)


def read(home: Path, run: str) -> Past:
    """The run as its journal tells it.

    Raises:
        UsageError: its journal is gone.
        JournalError: it cannot be read.
    """
    home = home.absolute()
    past: Past | None = None
    early: list[Record] = []
    for record in read_run(Layout(home).run(run)):
        if past is not None:
            past.take(record)
        elif isinstance(record, RunStarted):
            past = Past(home, record)
            for other in early:
                past.take(other)
        else:  # of another process, whose clock is behind
            early.append(record)
    if past is None:
        raise UsageError(f"the journal of run {run} is gone from {home}: only its catalog entry is left")
    return past

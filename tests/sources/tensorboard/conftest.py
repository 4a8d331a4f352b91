"""Runs of all writers, and what the source finds in them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcast.journal import Blobs
from runcast.plugins.source import FoundRun, Selection
from runcast.records import Lost, Metrics, Record
from runcast.sources.tensorboard import TensorBoardSource


class Found:
    """What reading a logdir gives.

    Attributes:
        runs: id → the run as it is listed.
        records: id → its records.
    """

    def __init__(self, logdir: Path, blobs: Path) -> None:
        self.blobs = Blobs(blobs)
        self.source = TensorBoardSource(str(logdir))
        self.runs: dict[str, FoundRun] = {run.id: run for run in self.source.runs(Selection())}
        self.records = {id_: list(self.source.read(run, self.blobs)) for id_, run in self.runs.items()}

    def only(self) -> list[Record]:
        """The records of the one run."""
        (records,) = self.records.values()
        return records

    def of(self, kind: type, run: str | None = None) -> list:
        """The records of one kind."""
        return [r for r in (self.only() if run is None else self.records[run]) if isinstance(r, kind)]

    def points(self, run: str | None = None) -> list[tuple[int, int, str, object]]:
        """Time, step, name and value."""
        return [(r.time, r.step, k, v) for r in self.of(Metrics, run) for k, v in r.values.items()]

    def lost(self, run: str | None = None) -> list[str]:
        """What was not read, in words."""
        return [f"{r.key}: {r.reason} ({r.count})" for r in self.of(Lost, run)]

    def content(self, file) -> bytes:
        """The content of a file of a record."""
        return self.blobs.path(file.sha256).read_bytes()


@pytest.fixture
def look(tmp_path: Path) -> Iterator:
    """Read a logdir; its files count as written long ago unless `live`."""

    def reading(logdir: Path, *, live: bool = False) -> Found:
        then = time.time() - (0 if live else 10_000)
        for path in logdir.rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))
        return Found(logdir, tmp_path / "blobs")

    return reading

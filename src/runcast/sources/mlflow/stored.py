"""What MLflow holds of a run, whichever store it is in; and the contract of those who read a store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from runcast.sources.mlflow.files import Files
from runcast.sources.mlflow.registry import RegisteredModel

Point = tuple[int, int, str, float]
"""Time in ms, step, key, value; sorted, each key's points of one time and step by value."""


class Dataset(msgspec.Struct, kw_only=True):
    """A dataset input; `schema`, `profile` and `source` are JSON texts."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = {}


class LoggedModel(msgspec.Struct, kw_only=True):
    """A logged model; `created` in ms, `files` where its files are.

    `run` is the one that made it; `step` and `metrics` are those that the run in question gave it: name,
    value, ms, step, name and digest of a dataset.
    """

    id: str
    name: str
    created: int
    files: str
    run: str = ""
    metrics: list[tuple[str, float, int, int, str | None, str | None]] = []
    type: str | None = None
    step: int = 0
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class StoredTrace(msgspec.Struct, kw_only=True):
    """A trace; `started` in ms, each of `spans` as MLflow writes it as JSON.

    An assessment has ``id``, ``type`` (``feedback``, ``expectation``), ``name``, ``value``, ``error``,
    ``rationale``, ``source_type``, ``source_id``, ``span``, ``created`` and ``updated`` in ms,
    ``overrides``, ``valid`` and ``metadata``.
    """

    id: str
    started: int
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []
    spans: list[dict[str, Any]] = []


class StoredRun(msgspec.Struct, kw_only=True):
    """A run.

    Attributes:
        id, experiment_id: MLflow's.
        experiment, name, user: as people see them.
        status: MLflow's word, such as ``FINISHED``.
        start, end: ms since 1970; None where it has none.
        files: URI or path of its artifacts.
        tags: every tag.
        params: None where they were not read yet.
        points: how many there are; None where that is not known cheaply.
        outside: it is none, but all traces and logged models of an experiment that belong to no run.
        change: text that is another as soon as something changed that `tags` and the like do not show.
    """

    id: str
    experiment_id: str
    experiment: str
    name: str
    status: str
    start: int | None
    end: int | None
    files: str
    user: str = ""
    tags: dict[str, str] = {}
    params: dict[str, str] | None = None
    points: int | None = None
    outside: bool = False
    change: str = ""


FEW = 20
"""Ids that are looked up one by one; for more of them, every run is gone through once."""


OUTSIDE = "outside-"
"""How the ids of such begin that are no run."""


def outside(experiment_id: str, experiment: str, times: list[int], change: str) -> StoredRun:
    """What belongs to no run, as a run.

    Args:
        experiment_id, experiment: MLflow's id and name.
        times: in ms, of what there is.
        change: see `StoredRun`.
    """
    return StoredRun(
        id=f"{OUTSIDE}{experiment_id}", experiment_id=experiment_id, experiment=experiment,
        name="outside of runs", status="FINISHED", start=min(times), end=max(times), files="", params={},
        points=0, outside=True, change=change,
    )  # fmt: skip


Trouble = Callable[[str, str], None]
"""Is told of what cannot be read: its name, and why."""


class Reader(ABC):
    """Reads one store, and never writes to it.

    Raises of every method:
        ConfigError: the store is not there, or is none.
        SourceError: something of it cannot be read.
    """

    @abstractmethod
    def runs(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        """Runs that are not deleted, of those experiments, only those with `ids` where there are any."""

    @abstractmethod
    def outside(self, experiment: Callable[[str], bool]) -> Iterator[StoredRun]:
        """For each of those experiments what belongs to no run, where there is something; see `StoredRun`.

        Logged models that runcast made for registered versions are no such.
        """

    @abstractmethod
    def params(self, run: StoredRun) -> dict[str, str]:
        """Params of a run."""

    @abstractmethod
    def points(self, run: StoredRun, trouble: Trouble) -> Iterator[Point]:
        """Every point of a run, in order."""

    @abstractmethod
    def datasets(self, run: StoredRun) -> list[Dataset]:
        """Dataset inputs of a run."""

    @abstractmethod
    def models(self, run: StoredRun) -> list[LoggedModel]:
        """Logged models that a run put out."""

    @abstractmethod
    def used(self, run: StoredRun) -> list[LoggedModel]:
        """Logged models that a run used."""

    @abstractmethod
    def maker(self, model: str) -> str | None:
        """The run that made a logged model, by its id; None where that is not known."""

    @abstractmethod
    def traces(self, run: StoredRun) -> Iterator[StoredTrace]:
        """Traces that were made in a run."""

    @abstractmethod
    def files(self, place: str) -> Files:
        """What is at a run's or a model's place."""

    @abstractmethod
    def run_of(self, runcast: str) -> str | None:
        """MLflow's id of a run that runcast wrote, by runcast's own."""

    @abstractmethod
    def place_of_run(self, id: str) -> str:
        """Where the files of a run are, which may be in the trash; "" where there is no such run."""

    @abstractmethod
    def place_of_model(self, id: str) -> str:
        """Where the files of a logged model are; "" where there is none."""

    @abstractmethod
    def registered(self) -> Iterator[RegisteredModel]:
        """Models of the registry."""

    def close(self) -> None:  # noqa: B027  # optional on purpose
        """Let go of connections."""

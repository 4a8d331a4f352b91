"""The contract between migration and one tracker that is read: a `Source`.

A source finds runs and turns each into records, as a stream: whoever reads a run of ten million points
needs no more memory than for one of ten. It never changes what it reads. Two readings of a run that did not
change give the same records in the same order; where the run grew, everything that was there before comes
in the same order relative to itself (`runcast.migrate` keeps, for each metric, how far it has come).

The first record is `RunStarted`, with ``run=""`` and an ``origin`` of ``tracker``, ``id``, ``url`` and
``extra`` (what no other record holds); the last is `RunFinished`, unless the run is still being written.
What was written by runcast's own backend is given back as it was said: the residual overlays the native
slots, unless a person changed a native slot since, which then wins. What cannot be read comes as a `Lost`
record that names it.
"""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec

from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.plugins.registry import ModelVersion, RegisteredModel
from runcast.records import FileRef, Record, Status


class FoundRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a tracker, before it is read.

    Attributes:
        id: the tracker's own.
        experiment, name: what it is grouped under, and called.
        parent: the tracker's id of the run that it is nested in.
        status: how it ended; ``running`` where it did not.
        started: ns since 1970, None where the tracker does not know.
        version: text that is another as soon as something of the run changed; "" where nobody can tell.
        runcast: runcast's own id, where runcast wrote the run.
        points: how many there are about, for progress; None where only reading can tell.
        problem: why it cannot be read as a whole, with the mend; "" where it can.
    """

    id: str
    experiment: str
    name: str
    parent: str | None = None
    status: Status = "finished"
    started: int | None = None
    version: str = ""
    runcast: str = ""
    points: int | None = None
    problem: str = ""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are meant; everything where nothing is said.

    Attributes:
        experiment: glob over names of experiments.
        runs: ids.
        since: ns since 1970; runs that started before are left out.
    """

    experiment: str = "*"
    runs: tuple[str, ...] = ()
    since: int | None = None

    def has_experiment(self, name: str) -> bool:
        """Whether an experiment of this name may hold selected runs."""
        return fnmatch.fnmatchcase(name, self.experiment)

    def has(self, run: FoundRun) -> bool:
        """Whether this run is meant."""
        early = self.since is not None and run.started is not None and run.started < self.since
        return self.has_experiment(run.experiment) and (not self.runs or run.id in self.runs) and not early


class Source(ABC):
    """Reads one tracker's runs back as records; see the module's text.

    Raises of every method:
        ConfigError: the address, a credential or a package is wrong; the message has the mend.
        SourceError: this cannot be read (any more); other runs may.
        AwayError: the tracker does not answer or is too busy; nothing of it counts as gone.
        OSError: may pass.
    """

    name: ClassVar[str]
    """The scheme of its addresses: ``mlflow`` of ``mlflow:sqlite:///mlflow.db``."""
    requires: ClassVar[Mapping[str, str]] = {}
    """Importable module → what ``pip install`` needs."""

    def __init__(self, address: str) -> None:
        """Keep the address, which is what stands behind the scheme and its colon; touch nothing else."""
        self.address = address

    @property
    @abstractmethod
    def identity(self) -> str:
        """The store's canonical address, without credentials: an absolute path, a URL.

        The same store has the same identity on every call, so that a run is never brought twice.
        """

    @property
    def is_remote(self) -> bool:
        """Whether reading is mostly waiting for a network: then many runs are read at once, by threads.

        Each thread has an instance of its own.
        """
        return False

    @abstractmethod
    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """The selected runs, parents before their children where that is cheap."""

    @abstractmethod
    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """One run as records, in a stream; content of files goes into `blobs`."""

    def registered(self) -> Iterator[RegisteredModel]:
        """Every model of the tracker's registry; none where it has no registry."""
        return iter(())

    def files(self, version: ModelVersion, blobs: Blobs) -> list[FileRef]:
        """The files of a version that `registered` gave; their content goes into `blobs`."""
        raise SourceError(f"{self.name}: this source has no registry, so {version} is not in it")

    def close(self) -> None:  # noqa: B027  # optional on purpose
        """Let go of connections; whatever is asked after that makes new ones."""

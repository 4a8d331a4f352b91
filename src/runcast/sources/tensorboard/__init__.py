"""TensorBoard's event files as a source: ``tensorboard:LOGDIR``, ``./runs`` where nothing is said.

A run is one folder that holds event files, of whatever writer: torch, tensorboardX, TensorFlow and Keras,
Lightning, or runcast's own backend, whose records come back as they were said (``docs/tensorboard.md``).
The folder's path relative to the logdir is the run's id. Modules, from the outside in: `folders` finds runs,
`glance` looks at the head and the tail of their files, `reading` turns one into a stream of records, `own`
takes up what our backend wrote, and `values` what others did, each kind in a module of its own.

Neither TensorBoard, TensorFlow, protobuf nor NumPy is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runcast.errors import ConfigError, SourceError
from runcast.journal import Blobs
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Record
from runcast.sources.tensorboard.folders import RunFolder, find
from runcast.sources.tensorboard.glance import found_run
from runcast.sources.tensorboard.reading import Reading

__all__ = ["TensorBoardSource"]


class TensorBoardSource(Source):
    """Reads a folder of event files."""

    name: ClassVar[str] = "tensorboard"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._logdir = Path(address or "runs").expanduser()
        self._folders: dict[str, RunFolder] = {}

    @property
    def identity(self) -> str:
        """The logdir's real path."""
        return str(self._logdir.resolve())

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """Every folder with event files, in the order of their paths, so parents before children."""
        for folder in self._look().values():
            run = found_run(folder, self._logdir.resolve())
            if selection.has(run):
                yield run

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """The run's files, merged in the order of their names; damage costs only what it hit."""
        folder = self._folders.get(run.id) or self._look().get(run.id)
        if folder is None:
            raise SourceError(f"run {run.id}: {self._logdir / run.id} holds no event files any more")
        if folder.problem:
            raise SourceError(f"run {run.id}: {folder.problem}")
        yield from Reading(folder, self._logdir.resolve(), self._folder_of, blobs).records()

    def _look(self) -> dict[str, RunFolder]:
        """Walk the logdir anew."""
        logdir = self._logdir
        if not logdir.is_dir():
            what = "is a file: give the folder it is in" if logdir.exists() else "does not exist"
            raise ConfigError(f"tensorboard: {logdir} {what}; the address is tensorboard:LOGDIR")
        self._folders = find(logdir.resolve())
        if not self._folders:
            raise ConfigError(
                f"tensorboard: {logdir} holds no event files (names with 'tfevents'), nor do its subfolders; "
                "give the folder that `tensorboard --logdir` is given"
            )
        return self._folders

    def _folder_of(self, run: str) -> str | None:
        """The folder of the run that runcast calls `run`, where it is under this logdir."""
        folders = self._folders or self._look()
        return next((id_ for id_, f in folders.items() if f.facts is not None and f.facts.run == run), None)

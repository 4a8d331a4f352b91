"""The catalog as a backend: what `runcast.catalog` reads is written here."""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from runcast.backends.local.about import DESCRIPTION
from runcast.backends.local.removal import forget
from runcast.catalog import database, writer
from runcast.errors import ConfigError, FormatError, Halt, JournalError, Retry
from runcast.plugins import Backend, Capabilities, Finding, OpenRun, Options, Receipt, Ref, native
from runcast.records import Record


class LocalOptions(Options):
    """Options of the local backend."""

    path: str | None = Field(
        None,
        description="the catalog's file; relative paths start at the project's folder; "
        "by default catalog.db in runcast's folder, which is where `runcast runs` looks",
    )


class LocalBackend(Backend):
    """Keeps an index of every run in one SQLite file, shared by all processes.

    Points of metrics stay in the journal; the index has their summaries. A record counts once: the
    highest number applied of each writer is committed together with the data.
    """

    name: ClassVar[str] = "local"
    Options: ClassVar[type[Options]] = LocalOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        params=native(),
        typed_params=native("kept as JSON"),
        long_values=native("no limit"),
        metrics=native("summaries in the catalog, points in the journal"),
        float64=native(),
        int64=native("of any size"),
        nonfinite=native(),
        any_step=native("points stay in the order of logging"),
        metric_times=native("in ns"),
        run_times=native("in ns"),
        status=native(),
        tags=native(),
        notes=native("the last one"),
        text=native(),
        html=native(),
        images=native("the files in blobs/, their descriptions in the catalog, as of all media"),
        masks=native(),
        figures=native(),
        audio=native(),
        video=native(),
        tables=native(),
        histograms=native(),
        objects3d=native(),
        embeddings=native(),
        graphs=native(),
        plots=native("the numbers"),
        summaries=native("first, last, min and max of every metric, with their steps"),
        artifacts=native("files by digest in blobs/; versions and aliases count per experiment"),
        references=native("address, and digest where it is known"),
        models=native("versions with the artifacts; `runcast.load_model` loads them"),
        inputs=native("with the version that was used and the run that made it"),
        environment=native(),
        system=native("summaries in the catalog, points in the journal"),
        traces=native("every span, as JSON"),
        nested=native("by the parent's id"),
        any_name=native("lone surrogates and NUL included"),
        exactly_once=native("record numbers are committed with the data"),
    )
    description: ClassVar = DESCRIPTION

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._connection: sqlite3.Connection | None = None
        self._path = Path()
        self._inode = 0
        self._run = ""

    def open(self, run: OpenRun) -> Ref:
        """Open the catalog and see that the run is in it."""
        self._connection = self._connect(run)
        with self._errors():
            catalog = database.identity(self._connection)
            # Records that went to a file which is gone are in the journal alone: readers look there.
            partial = run.state.get("catalog", catalog) != catalog
            writer.register(self._connection, run.started, partial=partial)
            self._check_place()
        run.state["catalog"] = catalog
        command = f"runcast show {shlex.quote(run.id)}"
        folder = run.blobs.parent
        if folder != run.resolve(".runcast"):  # not where the command looks by itself
            command += f" --dir {shlex.quote(str(folder))}"
        return Ref(id=run.id, url=str(self._path.absolute()), command=command)

    def _connect(self, run: OpenRun) -> sqlite3.Connection:
        chosen = self.options.path
        self._path = run.resolve(Path(chosen).expanduser()) if chosen else run.blobs.parent / "catalog.db"
        self._run = run.id
        try:
            connection, self._inode = database.connect_watched(self._path)
        except (ConfigError, FormatError) as error:
            raise Halt(str(error)) from error
        except JournalError as error:
            raise Retry(str(error)) from error
        return connection

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Apply the records that are new; committed to disk on return."""
        assert self._connection is not None, "deliver comes after open"  # noqa: S101  # the courier's promise
        with self._errors():
            writer.deliver(self._connection, self._run, batch)
            self._check_place()
        return Receipt()

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def remove(self, run: OpenRun, ref: Ref) -> str:
        """Delete the run's rows; its journal is left to who asks."""
        with contextlib.closing(self._connect(run)) as connection, self._errors():
            forget(connection, run.id)
        return ""

    @classmethod
    def options_from(cls, address: str) -> dict[str, Any]:
        """``local:`` or ``local:PATH``: the journals are the data, so the folder is the migration's own."""
        return {}

    @classmethod
    def diagnose(cls, options: Any) -> list[Finding]:
        """Whether the catalog's folder, where one is configured, can be written."""
        found = [Finding(ok=True, what=f"SQLite {sqlite3.sqlite_version}")]
        if options.path:
            folder = Path(options.path).expanduser().absolute().parent
            while not folder.exists():
                folder = folder.parent
            ok = os.access(folder, os.W_OK | os.X_OK)
            mend = "" if ok else f"make {folder} writable, or set another path in [local]"
            found.append(Finding(ok=ok, what=f"folder of the catalog: {folder}", mend=mend))
        return found

    def _check_place(self) -> None:
        """What was just committed counts only if it is in the file that everybody reads."""
        if database.file_id(self._path) != self._inode:
            raise Retry(f"the catalog {self._path} was replaced meanwhile; opening the new one")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as what the courier does next."""
        try:
            yield
        except sqlite3.Error as error:
            if database.is_corrupt(error):
                database.replace_corrupt(self._path, self._inode)
                raise Retry(f"the catalog {self._path} is corrupt; it was moved aside") from error
            if isinstance(error, sqlite3.OperationalError):
                raise Retry(f"the catalog {self._path} refuses to be written: {error}") from error
            raise

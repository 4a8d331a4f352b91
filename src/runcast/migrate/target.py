"""The destination as its own source sees it: what is there, and whether it is as it was left.

A run's version is the source's own (`FoundRun.version`), or, where that cannot tell, a digest of all that the
run holds. It is noted after each delivery; before anything is added, it must be the same still.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator

from runcast.errors import RuncastError, UsageError
from runcast.migrate import address
from runcast.migrate.content import Content, Uncopied
from runcast.migrate.manifest import Manifest
from runcast.plugins.source import FoundRun, Selection, Source


class Target:
    """Reads a destination back.

    Args:
        where: its address.

    Attributes:
        source: what reads it; None where nothing can.
        where: the address.
        problem: why nothing can, or why it did not answer; "" where it did.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.source: Source | None = None
        self.problem = ""
        try:
            self.source = address.source(where)
        except UsageError as error:
            self.problem = str(error)

    @classmethod
    def of(cls, manifest: Manifest, goes: str) -> Target:
        """The destination of a migration; `goes` is its address as it was given."""
        return cls(f"local:{manifest.target}" if manifest.target else goes)

    def found(self, ids: Collection[str]) -> dict[str, FoundRun]:
        """Those of some runs that are there, by their ids in the destination."""
        if self.source is None or not ids:
            return {}
        return {run.id: run for run in self.source.runs(Selection(runs=tuple(ids)))}

    def versions(self, ids: Collection[str]) -> dict[str, str] | None:
        """Version of each of some runs; those that are gone are missing. None where nothing can tell."""
        if self.source is None:
            return None
        try:
            return {id_: self._version(run) for id_, run in self.found(ids).items()}
        except (RuncastError, OSError) as error:
            self.problem = str(error)
            return None

    def _version(self, run: FoundRun) -> str:
        if run.version:
            return run.version
        if self.source is None:
            raise RuntimeError("a run was found by nobody")
        return "content " + Content.of(self.source.read(run, Uncopied())).fingerprint()

    def close(self) -> None:
        """Let go of connections."""
        if self.source is not None:
            self.source.close()


@contextlib.contextmanager
def reading(manifest: Manifest, goes: str) -> Iterator[Target]:
    """A target that is closed afterwards."""
    target = Target.of(manifest, goes)
    try:
        yield target
    finally:
        target.close()

"""An artifact that was found again: what is known of it, and its files as a folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcast.artifacts.paths import refusal
from runcast.artifacts.placing import copied, linked, symlinked
from runcast.artifacts.references import local_path
from runcast.errors import JournalError, UsageError
from runcast.journal import Blobs, Layout, make_private
from runcast.notices import warn
from runcast.records import FileRef, Input

if TYPE_CHECKING:
    from runcast.catalog import ArtifactInfo


class StoredArtifact:
    """One version of an artifact or a model in runcast's folder; made by `Run.use_artifact`.

    Attributes:
        name, type, description, metadata, files: as they were logged.
        version: ``v0``, ``v1``, ...: counts distinct contents of the name in its experiment.
        digest: sha256 over its files, 64 hex digits.
        aliases: the moving names that pointed here when it was asked for.
        run, experiment: which run logged it.
        model: None; or of a model its ``flavor``, ``signature``, ``requirements``, ... (``docs/models.md``).
    """

    def __init__(self, info: ArtifactInfo, layout: Layout, alias: str | None = None) -> None:
        self.name = info.name
        self.type = info.type
        self.version = f"v{info.version}"
        self.digest = info.digest
        self.aliases = list(info.aliases)
        self.metadata: dict[str, Any] = dict(info.metadata)
        self.description = info.description
        self.files = list(info.files)
        self.run = info.run
        self.experiment = info.experiment
        self.model = info.model
        self._alias = alias
        self._layout = layout

    def __repr__(self) -> str:
        return f"<runcast.StoredArtifact {self.experiment}/{self.name}:{self.version} ({self.type})>"

    @property
    def path(self) -> Path:
        """A folder with its files, to be read only: they are the store's own. For a copy see `download`.

        It is made, and every file compared with its digest, when it is first asked for. Files that stay
        elsewhere are links there where that is on this machine, and else left out.

        Raises:
            JournalError: a file is gone from the store, or is not what was logged.
            UsageError: a file's name leads out of the folder.
        """
        view = self._layout.views / self.digest
        if view.is_dir():
            return view
        import shutil  # here, because scripts that only log do not need it

        make_private(self._layout.views)
        draft = self._layout.views / f".{self.digest[:16]}-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            self._fill(draft, own=False)
            with contextlib.suppress(OSError):  # another process was faster
                draft.rename(view)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return view

    def download(self, root: str | os.PathLike[str] | None = None) -> Path:
        """Copy its files into a folder, which is the caller's from then on; gives the folder.

        Args:
            root: the folder; ``artifacts/<name>-<version>`` where left out. Files that are there already
                are replaced where the artifact has them too.

        Raises:
            JournalError, UsageError: as of `path`.
        """
        folder = Path("artifacts", f"{self.name}-{self.version}") if root is None else Path(root)
        self._fill(folder, own=True)
        return folder

    def as_input(self, time: int, context: str = "input") -> Input:
        """The record that says that a run used it."""
        return Input(
            time=time,
            name=self.name,
            type=self.type,
            context=context,
            digest=self.digest,
            version=self.version,
            run=self.run,
            alias=self._alias,
            files=self.files,
            metadata={"kind": "artifact", "experiment": self.experiment, "metadata": self.metadata},
        )

    def _fill(self, folder: Path, *, own: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o777 if own else 0o700)
        inside = folder.resolve()
        left_out = [file.uri for file in self.files if not self._put(file, inside, own=own)]
        if left_out:
            warn(
                f"{len(left_out)} files of artifact {self.name!r} stay elsewhere and were not fetched, such "
                f"as {left_out[0]}: `files` has their addresses"
            )

    def _put(self, file: FileRef, folder: Path, *, own: bool) -> bool:
        """Place one file below `folder`; False where it stays elsewhere."""
        if why := refusal(file.path):
            raise UsageError(f"artifact {self.name!r} has a file {file.path!r}: {why}; it was not made")
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.parent.resolve() != target.parent:
            raise UsageError(
                f"{target.parent} is a link to {target.parent.resolve()}, so {file.path!r} would leave the "
                "folder; remove the link or give another folder"
            )
        if not file.uri:
            origin = Blobs(self._layout.blobs).path(file.sha256)
            (copied if own else linked)(origin, target, file.sha256)
            return True
        source = local_path(file.uri)
        if source is None:
            return False
        if not source.is_file():
            raise JournalError(f"artifact {self.name!r}: {file.uri} is not there any more")
        if own:
            copied(source, target, file.sha256)
        else:
            symlinked(source, target, file.sha256)
        return True

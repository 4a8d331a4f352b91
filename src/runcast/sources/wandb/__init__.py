"""Weights & Biases as a source: ``wandb:./wandb`` is a folder, ``wandb:ENTITY/PROJECT`` is at the server.

A folder is read without W&B's client. It may be the one that holds ``run-...`` and ``offline-run-...``, the
one above it, or that of one run. What is not in the tracker's slots but was said through runcast comes back
from the run's file ``runcast/residual.jsonl``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runcast.backends.wandb.options import WandbOptions
from runcast.backends.wandb.residual import PATH
from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.plugins.registry import ModelVersion, RegisteredModel
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import FileRef, Record
from runcast.registries import reading
from runcast.registries.wandb import WandbRegistry
from runcast.sources.wandb.folder import is_here
from runcast.sources.wandb.log import Folder
from runcast.sources.wandb.own import Own
from runcast.sources.wandb.plain import Plain
from runcast.sources.wandb.server import Server


class WandbSource(Source):
    """Reads W&B's runs."""

    name: ClassVar[str] = "wandb"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._store: Folder | Server = Folder(address) if is_here(address) else Server(address)

    @property
    def identity(self) -> str:
        """The folder's real path, or the project's address at its server."""
        return self._store.identity

    @property
    def is_remote(self) -> bool:
        """Where a server is asked."""
        return isinstance(self._store, Server)

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        """The selected runs, the oldest first."""
        yield from filter(selection.has, self._store.runs())

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        """One run."""
        with tempfile.TemporaryDirectory(prefix="runcast-wandb-") as scratch:
            opened = self._store.run(run.id, Path(scratch))
            residual = opened.files.get(PATH)
            if residual is not None:
                yield from Own(opened, residual, blobs).records()
            else:
                yield from Plain(opened, blobs).records()

    def registered(self) -> Iterator[RegisteredModel]:
        """Models of the organization's registry that have a version from this project; a folder has none."""
        if isinstance(self._store, Server):
            yield from reading.models(self._registry(self._store), self._store.made)

    def files(self, version: ModelVersion, blobs: Blobs) -> list[FileRef]:
        """The version's files, downloaded."""
        if not isinstance(self._store, Server):
            raise SourceError(f"a folder has no registry, so {version} is not in it")
        return reading.files(self._registry(self._store), version, blobs)

    def _registry(self, server: Server) -> WandbRegistry:
        entity = server.path.partition("/")[0]
        options = WandbOptions.model_validate(
            {"mode": "online", "base_url": server.base_url, "entity": entity}
        )
        return WandbRegistry(options, Path(), Path())

    def close(self) -> None:
        """Forget the server's answers."""
        self._store.close()

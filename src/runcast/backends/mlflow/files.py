"""Putting files among a run's artifacts, and getting back those of our own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from runcast.backends.mlflow import names
from runcast.errors import Reject
from runcast.records import FileRef

# Digests come from the journal: one that is a path would lead to any file of this user.
_SHA256 = re.compile(r"[0-9a-f]{64}")

Content = bytes | Path
"""What an artifact file is made of: bytes, or the file that holds them."""


class Files:
    """Uploads to one run, and to the models that it logs."""

    def __init__(
        self, client: Any, run_id: str, folder: Path, blob: Callable[[FileRef], Path], *, existed: bool
    ) -> None:
        """
        Args:
            client: an ``mlflow.MlflowClient``.
            run_id: MLflow's.
            folder: private; copies of our own indices are kept there.
            blob: where the content of a file is.
            existed: the run was there before; it may have files that `folder` knows nothing of.
        """
        self._client, self._run_id, self._blob, self._existed = client, run_id, blob, existed
        self._stage = folder / "stage"
        self._indices = folder / "artifacts"

    def put(self, path: str, content: Content, model: str | None = None) -> None:
        """Make `content` the artifact file at `path`, replacing what was there.

        Args:
            path: relative, POSIX.
            content: what goes there.
            model: id of a logged model that the file belongs to, instead of the run.
        """
        staged = self._staged(path)
        if isinstance(content, bytes):
            _write(staged, content)
        else:
            # MLflow takes the name from the file it is given; a link gives the blob that name for free.
            staged.symlink_to(content)
        parent = str(PurePosixPath(path).parent)
        folder = None if parent == "." else parent
        if model is None:
            self._client.log_artifact(self._run_id, str(staged), folder)
        else:
            self._client.log_model_artifact(model, str(staged), folder)
        staged.unlink()

    def _staged(self, path: str) -> Path:
        shutil.rmtree(self._stage, ignore_errors=True)
        self._stage.mkdir(mode=0o700, parents=True)
        return self._stage / PurePosixPath(path).name

    def get(self, path: str) -> Path | None:
        """A copy of an artifact file, or None where the run has none; removed by the next call."""
        parent = str(PurePosixPath(path).parent)
        if path not in {info.path for info in self._client.list_artifacts(self._run_id, parent)}:
            return None
        target = self._staged(path).parent
        return Path(self._client.download_artifacts(self._run_id, path, str(target)))

    def read_index(self, path: str) -> bytes | None:
        """A file of our own as it was last written, None before that; asks MLflow once at most."""
        local = self._local(path)
        if not local.exists() and self._existed and (found := self.get(path)) is not None:
            self._remember(local, found.read_bytes())
        return local.read_bytes() if local.exists() else None

    def write_index(self, path: str, text: bytes) -> None:
        """Put a file of our own that will be asked for again."""
        self.put(path, text)
        self._remember(self._local(path), text)

    def _local(self, path: str) -> Path:
        return self._indices / names.file_name(path)

    def _remember(self, local: Path, text: bytes) -> None:
        self._indices.mkdir(mode=0o700, exist_ok=True)
        fresh = local.with_suffix(".new")
        _write(fresh, text)
        fresh.replace(local)

    def content(self, what: str, file: FileRef) -> Path:
        """The file that holds the content of `file`.

        Args:
            what: names the record in messages.
            file: of a record.

        Raises:
            Reject: its path leaves its folder, or its content is missing.
        """
        parts = file.path.split("/")
        if not file.path or file.path.startswith("/") or {"", ".", ".."} & set(parts) or "\0" in file.path:
            raise Reject(f"{what}: the path {file.path!r} leaves its folder: use a relative path")
        source = self._blob(file)
        if not _SHA256.fullmatch(file.sha256) or not source.is_file():
            raise Reject(f"{what}: the content of {file.path!r} is missing from {source.parent}")
        return source


def _write(path: Path, content: bytes) -> None:
    """A file that nobody else can read, whatever the umask is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)

"""Files of a run or a model: in a folder of this machine, or wherever MLflow's client finds them."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from runcast.backends.mlflow.errors import is_away
from runcast.backends.mlflow.manners import heeding
from runcast.backends.mlflow.uris import mask
from runcast.errors import AwayError, SourceError
from runcast.hosts import LONGEST
from runcast.journal import Blobs
from runcast.records import FileRef
from runcast.sources.mlflow.patience import patient


class Files(ABC):
    """A tree of files; paths are POSIX and relative.

    Raises of every method:
        OSError, SourceError: a file is gone, or its store refuses it.
        AwayError: its store does not answer.
    """

    @abstractmethod
    def paths(self) -> list[str]:
        """Every file, sorted."""

    @abstractmethod
    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """One file, for as long as the context lasts."""

    def keep(self, path: str, name: str, blobs: Blobs) -> FileRef:
        """Put a file into `blobs`; the reference calls it `name`."""
        with self.local(path) as file:
            digest, size = blobs.put_file(file)
        return FileRef(path=name, sha256=digest, size=size)

    def read(self, path: str) -> bytes:
        """The content of a file that is known to be small."""
        with self.local(path) as file:
            return file.read_bytes()

    def state(self) -> str:
        """Text that is another where a file changed; "" where only reading can tell."""
        return ""


class LocalFiles(Files):
    """Files below a folder; none where it is not there, since MLflow makes it for the first file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> list[str]:
        """See `Files.paths`."""
        found = [path for path in self._root.rglob("*") if path.is_file()]
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """See `Files.local`."""
        yield self._root / path

    def state(self) -> str:
        """See `Files.state`."""
        looks = [(path, (self._root / path).stat()) for path in self.paths()]
        return " ".join(f"{path}:{look.st_size}:{look.st_mtime_ns}" for path, look in looks)


class RemoteFiles(Files):
    """Files that MLflow's client fetches: ``mlflow-artifacts:``, ``s3://``, ...

    Args:
        uri: where they are.
        tracking: the tracking URI, which ``mlflow-artifacts:`` is relative to.
    """

    def __init__(self, uri: str, tracking: str | None) -> None:
        self._uri, self._tracking = uri.rstrip("/"), tracking

    def paths(self) -> list[str]:
        """See `Files.paths`."""
        return sorted(self._below(""))

    def _below(self, folder: str) -> Iterator[str]:
        from mlflow.artifacts import list_artifacts

        uri = f"{self._uri}/{folder}" if folder else self._uri
        for info in self._call(list_artifacts, artifact_uri=uri):
            # What a path is relative to depends on the kind of store; its last part is the same in all.
            name = PurePosixPath(info.path).name
            path = f"{folder}/{name}" if folder else name
            if info.is_dir:
                yield from self._below(path)
            else:
                yield path

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """See `Files.local`."""
        from mlflow.artifacts import download_artifacts

        folder = tempfile.mkdtemp(prefix="runcast-")
        try:
            uri = f"{self._uri}/{path}"
            yield Path(self._call(download_artifacts, artifact_uri=uri, dst_path=folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _call(self, function: Any, **arguments: Any) -> Any:
        try:
            with patient(), heeding(LONGEST):
                return function(tracking_uri=self._tracking, **arguments)
        except Exception as error:  # each store's library has its own
            text = mask(" ".join(str(error).split()))[:300]
            kind = AwayError if is_away(error) else SourceError
            raise kind(f"files at {mask(self._uri)} cannot be read ({text})") from None


class NoFiles(Files):
    """Files that cannot be reached from here.

    Args:
        why: the reason, with the mend.
    """

    def __init__(self, why: str) -> None:
        self._why = why

    def paths(self) -> list[str]:
        """See `Files.paths`."""
        raise SourceError(self._why)

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """See `Files.local`."""
        raise SourceError(self._why)
        yield Path()  # type: ignore[unreachable]  # makes it a generator


class EmptyFiles(NoFiles):
    """Of what has no place for files."""

    def __init__(self) -> None:
        super().__init__("it has no files")

    def paths(self) -> list[str]:
        """None."""
        return []


def at(place: str, beside: Path | None, tracking: str | None) -> Files:
    """The files at an artifact URI.

    Args:
        place: URI, or path.
        beside: the store's own folder, which relative paths may be relative to.
        tracking: URI of a server, where it is one that is read.
    """
    if not place:
        return EmptyFiles()
    parts = urlsplit(place)
    if parts.scheme == "file":
        return LocalFiles(Path(unquote(parts.path)))
    if not parts.scheme:
        path = Path(unquote(place) if "%" in place and not Path(place).exists() else place)
        if not path.is_absolute() and beside is not None and (beside / path).exists():
            path = beside / path
        return LocalFiles(path)
    if parts.scheme == "mlflow-artifacts" and tracking is None:
        return NoFiles(
            f"the files are behind an MLflow server ({place}): read from its address, mlflow:http://..., "
            "in place of its database"
        )
    return RemoteFiles(place, tracking)

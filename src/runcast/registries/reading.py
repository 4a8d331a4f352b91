"""A registry as a source of models: what `runcast.plugins.source.Source` gives of one."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from runcast.errors import DeliveryError, SourceError
from runcast.journal import Blobs
from runcast.plugins.registry import ModelVersion, RegisteredModel, Registry
from runcast.records import FileRef


def models(
    registry: Registry, is_meant: Callable[[ModelVersion], bool] = lambda version: True
) -> Iterator[RegisteredModel]:
    """Every model that has a version that is meant.

    Raises:
        SourceError: the registry does not answer, or refuses.
    """
    with _told():
        for name in registry.names():
            versions = registry.versions(name)
            if not any(map(is_meant, versions)):
                continue
            description = registry.description(name)
            yield RegisteredModel(
                name=name, description=description, versions=versions, events=registry.events(name)
            )


def files(registry: Registry, version: ModelVersion, blobs: Blobs) -> list[FileRef]:
    """The files of a version: those that runcast registered under their own names, else all that are there.

    Raises:
        OSError, SourceError: they cannot be reached, or are not what was registered.
    """
    with tempfile.TemporaryDirectory(prefix="runcast-") as scratch, _told():
        root = Path(scratch)
        registry.fetch(version.name, version.version, root)
        kept = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
        if not version.files:
            return [_keep(name, path, blobs) for name, path in kept.items()]
        # A tracker may hold a file under another name, and has files of its own beside ours.
        places = {sha256_of(path): path for path in kept.values()}
        if gone := sorted(name for name, sha in version.files.items() if sha not in places):
            raise SourceError(f"{version} ({registry.name}): {gone[0]} is damaged or missing in the registry")
        return [_keep(name, places[sha], blobs) for name, sha in sorted(version.files.items())]


def _keep(name: str, path: Path, blobs: Blobs) -> FileRef:
    sha, size = blobs.put_file(path)
    return FileRef(path=name, sha256=sha, size=size)


def sha256_of(path: Path) -> str:
    """Digest of a file's content, 64 hex digits; at most a chunk of it is in memory."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DeliveryError as error:
        raise SourceError(str(error)) from None

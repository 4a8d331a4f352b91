"""Files out of a registry: below their folder, compared with their digests, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runcast.artifacts import refusal
from runcast.artifacts.collect import walk
from runcast.errors import RegistryError, UsageError
from runcast.journal import Layout, digest, make_private
from runcast.plugins.registry import ModelVersion, Registry
from runcast.records import FileRef
from runcast.registries.reading import sha256_of


def download(registry: Registry, version: ModelVersion, target: Path) -> Path:
    """Bring a version's files to `target`.

    Raises:
        UsageError: it is there and not empty.
        RegistryError: the files are not what was registered.
        DeliveryError: of the tracker.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already: give a folder that is new or empty")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _fetched(registry, version, target.parent) as folder:
        if target.exists():
            target.rmdir()
        folder.chmod(0o755)
        folder.rename(target)
    return target


def cached(registry: Registry, version: ModelVersion, layout: Layout) -> Path:
    """A folder with the version's files, to be read only; made once for each digest."""
    if version.digest and (view := layout.views / version.digest).is_dir():
        return view
    make_private(layout.views)
    with _fetched(registry, version, layout.views) as folder:
        view = layout.views / (version.digest or folder.name.lstrip("."))
        with contextlib.suppress(OSError):  # another process was faster
            folder.rename(view)
    return view


@contextlib.contextmanager
def _fetched(registry: Registry, version: ModelVersion, beside: Path) -> Iterator[Path]:
    """A folder with the verified files; it is removed unless it was renamed."""
    draft = beside / f".{version.name}-{os.getpid()}-{os.urandom(4).hex()}"
    raw = draft.with_name(draft.name + "-raw")
    try:
        for folder in (draft, raw):
            folder.mkdir(mode=0o700)
        registry.fetch(version.name, version.version, raw)
        _verified(version, raw, draft)
        yield draft
    finally:
        shutil.rmtree(raw, ignore_errors=True)
        shutil.rmtree(draft, ignore_errors=True)


def _verified(version: ModelVersion, raw: Path, draft: Path) -> None:
    problems: list[str] = []
    there = {path: (file, sha256_of(file)) for path, file in walk(raw.resolve(), problems)}
    if problems:
        raise RegistryError(f"{version} ({version.registry}) has files that cannot be kept: {problems[0]}")
    if not version.files:
        refs = [FileRef(path, sha, 0) for path, (_, sha) in there.items()]
        if version.digest and digest(refs) != version.digest:
            raise RegistryError(
                f"{version} ({version.registry}) has another digest than what was registered; "
                "register it again"
            )
        wanted = {path: sha for path, (_, sha) in there.items()}
    else:
        wanted = version.files
    # A tracker may hold a file under another name, and has files of its own beside ours.
    places = {sha: file for file, sha in there.values()}
    for path, sha in wanted.items():
        if why := refusal(path):
            raise RegistryError(f"{version} ({version.registry}) has a file {path!r}: {why}; it was not made")
        if sha not in places:
            state = "is damaged" if path in there else "is missing"
            raise RegistryError(
                f"{version} ({version.registry}): {path} {state} in the registry; register the version again"
            )
        target = draft / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(places[sha], target)

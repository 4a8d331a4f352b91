"""From a path that the script names to the files of an artifact, safely."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runcast.errors import UsageError
from runcast.journal import Blobs
from runcast.records import FileRef


def collect(path: str | os.PathLike[str], blobs: Blobs) -> tuple[list[FileRef], list[str]]:
    """Store a file, or every file of a folder, as it is now.

    Returns:
        The files, sorted by path, and what was left out, each with its reason.

    Raises:
        UsageError: there is nothing at `path`, or it is neither a file nor a folder.
    """
    root = Path(path)
    try:
        real = root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"artifact {str(path)!r}: {_reason(error)}; give the path of a file or folder"
        ) from error
    if real.is_file():
        digest, size = blobs.put_file(real)
        return [FileRef(root.name, digest, size)], []
    if not real.is_dir():
        raise UsageError(f"artifact {str(path)!r} is neither a file nor a folder")
    files: list[FileRef] = []
    left_out: list[str] = []
    for relative, file in _walk(real, left_out):
        try:
            digest, size = blobs.put_file(file)
        except OSError as error:
            left_out.append(f"{relative}: {_reason(error)}")
        else:
            files.append(FileRef(relative, digest, size))
    return sorted(files, key=lambda file: file.path), left_out


def _walk(root: Path, left_out: list[str]) -> Iterator[tuple[str, Path]]:
    """Files below `root` with their POSIX paths; links may not lead out of it, nor around in it."""
    folders = [root]
    seen: set[Path] = {root}
    while folders:
        folder = folders.pop()
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            place = Path(entry.path)
            relative = place.relative_to(root).as_posix()
            try:
                target = place.resolve(strict=True)
            except (OSError, RuntimeError) as error:
                left_out.append(f"{relative}: {_reason(error)}")
                continue
            if target != root and root not in target.parents:
                left_out.append(f"{relative}: links to {target}, outside the artifact's folder")
            elif entry.is_dir():
                if target in seen:
                    left_out.append(f"{relative}: links back to a folder that is in the artifact already")
                else:
                    seen.add(target)
                    folders.append(place)
            else:
                yield relative, place


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

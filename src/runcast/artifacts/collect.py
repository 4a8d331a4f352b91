"""From what the script names to the files of an artifact, as they are now, safely."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from runcast.artifacts.paths import name_of, refusal
from runcast.artifacts.references import Reference, is_uri, reference
from runcast.errors import UsageError
from runcast.journal import Blobs, hold, hold_copy
from runcast.records import FileRef

Source = str | os.PathLike[str] | Reference
LARGE = 1 << 20
"""Bytes from which on a file is not read at the call: it is cloned, linked, or copied by the kernel."""
_ATTEMPTS = 3


class Collected(NamedTuple):
    """What became of the files.

    Attributes:
        files: what the artifact holds, sorted by path.
        problems: what is left out, or doubtful, each with its reason and the mend.
    """

    files: list[FileRef]
    problems: list[str]


def collect(
    sources: Source | Sequence[Source],
    blobs: Blobs,
    *,
    immutable: bool = False,
    include: Iterable[str] | str = (),
    exclude: Iterable[str] | str = (),
) -> Collected:
    """Store files, and every file of folders, as they are now; note references.

    Args:
        sources: paths, URIs and `Reference`; the files of a single folder stand at the top of the artifact,
            those of several in folders of their names.
        blobs: the store.
        immutable: nobody will ever write into these files again, so large ones may be linked.
        include: globs; only files whose path in the artifact matches one. ``*`` matches ``/`` too.
        exclude: globs; no file whose path in the artifact matches one.

    Raises:
        UsageError: there is a single source, and nothing of it can be taken.
    """
    every = [sources] if isinstance(sources, (str, os.PathLike, Reference)) else list(sources)
    wanted = _filter(include, exclude)
    found: dict[str, FileRef] = {}
    problems: list[str] = []
    for source in every:
        try:
            listed = list(_listed(source, alone=len(every) == 1, problems=problems))
        except UsageError as error:
            if len(every) == 1:
                raise
            problems.append(str(error))
            continue
        for path, place in listed:
            if not wanted(path):
                continue
            if path in found:
                problems.append(f"{path}: the artifact has a file of this name already; rename one of them")
                continue
            if isinstance(place, FileRef):
                found[path] = place
                continue
            try:
                found[path] = _take(path, place, blobs, immutable, problems)
            except OSError as error:
                problems.append(f"{path}: {_reason(error)}")
    return Collected([found[path] for path in sorted(found)], problems)


def _listed(source: Source, *, alone: bool, problems: list[str]) -> Iterator[tuple[str, Path | FileRef]]:
    """Path in the artifact, and where the file is."""
    if isinstance(source, Reference) or (isinstance(source, str) and is_uri(source)):
        noted = reference(source)
        yield noted.path, noted
        return
    root = Path(source)
    try:
        real = root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"artifact {str(root)!r}: {_reason(error)}; give the path of a file or folder"
        ) from error
    if not real.is_dir():
        if not real.is_file():
            raise UsageError(f"artifact {str(root)!r} is neither a file nor a folder")
        if why := refusal(root.name):
            raise UsageError(f"artifact {str(root)!r}: {why}")
        yield root.name, real
        return
    above = "" if alone else f"{name_of(real)}/"
    for relative, file in walk(real, problems):
        if why := refusal(above + relative):
            problems.append(f"{relative}: {why}")
        else:
            yield above + relative, file


def _filter(include: Iterable[str] | str, exclude: Iterable[str] | str) -> Callable[[str], bool]:
    only = [include] if isinstance(include, str) else list(include)
    never = [exclude] if isinstance(exclude, str) else list(exclude)

    def wanted(path: str) -> bool:
        if only and not any(fnmatchcase(path, glob) for glob in only):
            return False
        return not any(fnmatchcase(path, glob) for glob in never)

    return wanted


def _take(path: str, place: Path, blobs: Blobs, immutable: bool, problems: list[str]) -> FileRef:
    """One file as it is now; tried again where somebody writes into it meanwhile."""
    for attempt in range(_ATTEMPTS):
        before = place.stat()
        if before.st_size >= LARGE:
            if (held := hold(place, blobs, immutable=immutable)) is not None:
                return FileRef(path, "", held[1], held=held[0])
            name, size = hold_copy(place, blobs)
            ref = FileRef(path, "", size, held=name)
        else:
            ref = FileRef(path, *blobs.put_file(place))
        after = place.stat()
        grew = after.st_size > before.st_size
        if grew or after.st_mtime_ns == before.st_mtime_ns or attempt == _ATTEMPTS - 1:
            break  # what was appended is left out, which harms nothing
        if ref.held:
            (blobs.root / "held" / ref.held).unlink()
    if not grew and after.st_mtime_ns != before.st_mtime_ns:
        problems.append(
            f"{path}: changed while it was read, so what is kept may be a mixture; "
            "log it when nobody writes into it"
        )
    return ref


def walk(root: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    """Files below `root` with their POSIX paths; links may not lead out of it, nor around in it."""
    folders = [root]
    seen: set[Path] = {root}
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"{folder.relative_to(root).as_posix()}: {_reason(error)}")
            continue
        for entry in entries:
            place = Path(entry.path)
            relative = place.relative_to(root).as_posix()
            try:
                target = place.resolve(strict=True)
            except (OSError, RuntimeError) as error:
                problems.append(f"{relative}: {_reason(error)}")
                continue
            if target != root and root not in target.parents:
                problems.append(f"{relative}: links to {target}, outside the artifact's folder")
            elif entry.is_dir():
                if target in seen:
                    problems.append(f"{relative}: links back to a folder that is in the artifact already")
                else:
                    seen.add(target)
                    folders.append(place)
            elif not target.is_file():
                problems.append(f"{relative}: is no plain file (a pipe, socket or device)")
            else:
                yield relative, place


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

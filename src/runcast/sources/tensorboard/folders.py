"""Which folders of a logdir are runs, what they are called, and which belong to another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runcast.backends.tensorboard.facts import Facts
from runcast.backends.tensorboard.folder import MARKER

# TensorBoard's profiler leaves such a file, without values, in the folder above the run's.
_EMPTY = ".profile-empty"
_KEPT = frozenset({"artifacts", "models", "inputs", "environment", "media"})
# What torch and tensorboardX call the folder that `add_hparams` makes: `str(time.time())`.
_BY_TIME = re.compile(r"\d{9,11}\.\d+\Z")
_STAMP = re.compile(r"tfevents\.(\d+)")


class RunFolder(msgspec.Struct, kw_only=True):
    """One run.

    Attributes:
        id: the path relative to the logdir, POSIX; ``.`` for the logdir itself.
        path: absolute.
        experiment, name: as the folders say.
        files: the event files, oldest first.
        folded: event files of a session of HParams that is kept in a folder of its own.
        parent: id of the run in whose folder this one is.
        facts: what runcast's own backend says about a run that it wrote.
        problem: why it cannot be read; "" where it can.
    """

    id: str
    path: Path
    experiment: str = ""
    name: str = ""
    files: list[Path] = []
    folded: list[Path] = []
    parent: str | None = None
    facts: Facts | None = None
    problem: str = ""


def find(logdir: Path) -> dict[str, RunFolder]:
    """Id → run, in the order of their paths; a run that cannot be looked into has a `problem`."""
    found: dict[str, RunFolder] = {}
    for path, names, problem in _walk(logdir, set()):
        events = [path / name for name in names if "tfevents" in name and not name.endswith(_EMPTY)]
        if events or problem:
            id_ = path.relative_to(logdir).as_posix()
            found[id_] = RunFolder(
                id=id_, path=path, files=sorted(events, key=_age), facts=_facts(path), problem=problem
            )
    for run in found.values():
        _place(run, found, logdir)
    for run in [run for run in found.values() if _is_session(run, found)]:
        parent = found[run.parent or ""]
        parent.folded = run.files
        del found[run.id]
    return found


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, list[str], str]]:
    """Each folder with the names of its files; links are followed, but none in a circle."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield (
            folder,
            [],
            f"{folder} cannot be read: {error.strerror}; give yourself the right to read it",
        )
        return
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    files = [entry.name for entry in entries if _is_file(entry)]
    yield folder, files, ""
    ours = MARKER in files
    for entry in entries:
        if _is_folder(entry) and not (ours and entry.name in _KEPT):
            yield from _walk(Path(entry.path), seen)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A plain file, or a link that leads nowhere: opening it tells why; a pipe would block for ever."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:  # a circle of links
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _age(path: Path) -> tuple[int, str]:
    stamp = _STAMP.search(path.name)
    return int(stamp[1][:18]) if stamp else 0, path.name


def _facts(folder: Path) -> Facts | None:
    try:
        return Facts.decode((folder / MARKER).read_bytes())
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _place(run: RunFolder, found: dict[str, RunFolder], logdir: Path) -> None:
    """Names from the path: the first folder is the experiment, unless it is a run itself."""
    above = [Path(run.id), *Path(run.id).parents]
    top = next(path for path in reversed(above) if path.as_posix() in found)
    run.parent = next((p.as_posix() for p in above[1:] if p.as_posix() in found), None)
    run.experiment, run.name = logdir.name or "/", run.id
    if run.id == ".":
        run.name = run.experiment
    elif len(top.parts) > 1:
        run.experiment = top.parts[0]
        run.name = Path(run.id).relative_to(top.parts[0]).as_posix()
    if run.facts is not None:
        run.experiment, run.name = run.facts.experiment, run.facts.name
        run.parent = run.facts.parent_folder or run.facts.parent


def _is_session(run: RunFolder, found: dict[str, RunFolder]) -> bool:
    """Whether `add_hparams` made the folder for its parent's only session; several are runs of their own."""
    parent = found.get(run.parent or "")
    if parent is None or not _is_named_by_time(run) or run.path.parent != parent.path:
        return False
    beside = [other for other in found.values() if other.parent == parent.id and _is_named_by_time(other)]
    return len(beside) == 1


def _is_named_by_time(run: RunFolder) -> bool:
    return run.facts is None and bool(_BY_TIME.match(run.path.name))

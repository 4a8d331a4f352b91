"""Runs in a folder, as W&B's client and runcast leave them: ``offline-run-<start>-<id>/run-<id>.wandb``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from runcast.backends.wandb.residual import PATH
from runcast.errors import ConfigError
from runcast.formats import wandb_log
from runcast.plugins.source import FoundRun
from runcast.records import Status

QUIET = 600.0
"""Seconds of silence after which a log without an end is of a dead process: a live one keeps writing."""
_TAIL = 8 * wandb_log.BLOCK
_HEAD = 50
"""Records among which a run says what it is called."""


class FolderFiles:
    """Files of a run's folders; of two with the same path the later folder's counts."""

    def __init__(self, folders: list[Path]) -> None:
        self._roots = [folder / "files" for folder in folders]

    def get(self, path: str) -> Path | None:
        """A file's place; None where it is not there, or would not be in the folder."""
        plain = PurePosixPath(path)
        if not path or plain.is_absolute() or ".." in plain.parts or "\0" in path:
            return None
        for root in reversed(self._roots):
            place = root / plain
            try:
                if place.is_file():
                    return place
            except OSError:  # a name that no file can have
                return None
        return None

    def names(self) -> list[str]:
        """Every file below ``files/``, a link to a file included."""
        found = {
            path.relative_to(root).as_posix()
            for root in self._roots
            for path in root.rglob("*")
            if path.is_file()
        }
        return sorted(found)


def home(address: str) -> Path:
    """The folder that holds the runs: the address itself, or its ``wandb/``."""
    place = Path(address or ".").expanduser().absolute()
    if place.suffix == ".wandb":
        place = place.parent
    if place.name != "wandb" and not _logs(place):
        place = place / "wandb"
    return place


def logs(folder: Path) -> dict[str, list[Path]]:
    """Each run's id with its logs, the oldest first; a run that was resumed offline has several.

    Raises:
        ConfigError: there is no such folder, or no log in it.
    """
    found: dict[str, list[Path]] = {}
    for path in _logs(folder):
        found.setdefault(path.stem.removeprefix("run-"), []).append(path)
    if not found:
        raise ConfigError(f"{folder} holds no W&B run: name the folder with run-... or offline-run-... in it")
    return found


def is_here(address: str) -> bool:
    """Whether an address is a folder's. A bare name is one only where runs are in it."""
    if not address or address.startswith((".", "/", "~")) or address.endswith(".wandb"):
        return True
    return bool(_logs(Path(address)) or _logs(Path(address) / "wandb"))


def _logs(folder: Path) -> list[Path]:
    if own := sorted(folder.glob("run-*.wandb")):
        return own
    inside = folder.glob("*run-*/run-*.wandb")
    # Folders are named by their start; `latest-run` is a link to one of them.
    return sorted((p for p in inside if not p.parent.is_symlink()), key=lambda p: (p.parent.name[-40:], p))


def found(id_: str, paths: list[Path]) -> FoundRun:
    """What a run is called and how it ended, from the beginning and the end of its logs."""
    run, parent = wandb_log.Run(), ""
    for path in paths:
        for number, entry in enumerate(wandb_log.read(path, wandb_log.BLOCK * 4)):
            if isinstance(entry, wandb_log.Run):
                run = entry
            elif isinstance(entry, wandb_log.Config):
                own = entry.update.get("runcast")
                parent = str(own.get("parent") or parent) if isinstance(own, dict) else parent
            if number > _HEAD:
                break
    status, latest = ending(paths)
    if latest is not None:
        run = latest
    wrote = written(FolderFiles([path.parent for path in paths]))
    experiment = run.project
    if wrote and wrote.get("project") == run.project:
        experiment = str(wrote.get("experiment", experiment))
    name = str(wrote["said"]) if wrote.get("name") == run.name and "said" in wrote else run.name
    return FoundRun(
        id=id_,
        experiment=experiment or "uncategorized",
        name=name or id_,
        parent=parent or None,
        status=status,
        started=run.start_ns or None,
        version=f"{status} {version(paths)}",
        runcast=str(wrote.get("run", "")),
    )


def version(paths: list[Path]) -> str:
    """Another text as soon as a log or its residual changed."""
    seen = []
    for path in [p for log in paths for p in (log, log.parent / "files" / PATH)]:
        if path.is_file():
            about = path.stat()
            seen.append(f"{about.st_size}:{about.st_mtime_ns}")
    return " ".join(seen)


def written(files: FolderFiles) -> dict[str, str]:
    """What runcast's backend wrote down first; empty where another wrote the run."""
    place = files.get(PATH)
    if place is None:
        return {}
    with place.open("rb") as stream:
        line = stream.readline(1 << 20)
    try:
        wrote = json.loads(line)["wrote"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return wrote if isinstance(wrote, dict) else {}


def ending(paths: list[Path]) -> tuple[Status, wandb_log.Run | None]:
    """How a run ended, ``running`` where it may not have; and what its log's end says of its name."""
    path = paths[-1]
    size = path.stat().st_size
    start = max(0, (size - _TAIL) // wandb_log.BLOCK * wandb_log.BLOCK)
    status: Status | None = None
    word, run = "", None
    with path.open("rb") as stream:
        for payload in wandb_log.payloads(stream, size, start):
            if isinstance(payload, wandb_log.Damage):
                continue
            try:
                kind = wandb_log.kind_of(payload)[0]
            except ValueError:
                continue
            if kind not in (5, 17, 18):
                continue
            entry = wandb_log.entry(payload)
            if isinstance(entry, wandb_log.Exit):
                status = of_exit(entry.code)
            elif isinstance(entry, wandb_log.Run):
                run = entry
            elif isinstance(entry, wandb_log.Config) and isinstance(own := entry.update.get("runcast"), dict):
                word = str(own.get("status", word))
    if status is None:
        quiet = time.time() - path.stat().st_mtime > QUIET
        return ("crashed" if quiet else "running"), run
    return ("crashed" if status == "failed" and word == "crashed" else status), run


def of_exit(code: int) -> Status:
    """A run's status from its process's exit code."""
    return "finished" if code == 0 else "killed" if code in (255, 130, -2) else "failed"


def runs(folder: Path) -> Iterator[FoundRun]:
    """Every run of a folder, the oldest first, parents before their children."""
    every = []
    for id_, paths in logs(folder).items():
        try:
            every.append(found(id_, paths))
        except OSError as error:
            every.append(FoundRun(id=id_, experiment="", name=id_, problem=str(error)))
    yield from sorted(every, key=lambda run: (run.parent is not None, run.started or 0, run.id))

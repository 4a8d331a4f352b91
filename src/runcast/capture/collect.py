"""All parts together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runcast.capture import command, git
from runcast.redact import redact_tree


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to record of one run, and to go on recording.

    Attributes:
        parts: see `runcast.config.Settings`.
        git: what `at_start` found, so that the changes are told against that very commit.
        pid: the trainer.
        generation: of the trainer's records.
        interval: seconds between two looks at the machine; 0: none.
        energy: country by which energy is reckoned; "": not at all.
        folder: absolute, the trainer's current one.
    """

    parts: list[str] = []
    git: dict[str, Any] = {}
    pid: int = 0
    generation: int = 0
    interval: float = 0.0
    energy: str = ""
    folder: str = ""

    @property
    def wants_more(self) -> bool:
        """Whether `collect` has anything to say."""
        return bool({"packages", "machine", "gpu"} & set(self.parts) or ("git" in self.parts and self.git))


def at_start(parts: Sequence[str], redact: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """What costs nothing: the command line, the interpreter, and the commit as Git's own files tell it.

    Args:
        parts: what is wanted.
        redact: masks secrets by names that the settings add.
    """
    values: dict[str, Any] = {}
    for part, look in (("command", command.line), ("python", command.interpreter), ("git", _head)):
        with contextlib.suppress(Exception):  # a script may put anything into sys.argv, or into .git
            if part in parts and (found := look()):
                values[part] = found
    return redact(values)


def _head() -> dict[str, Any]:
    for folder in _folders():
        with contextlib.suppress(OSError, ValueError):
            if found := git.head(folder):
                return found
    return {}


def _folders() -> Iterable[Path]:
    """Where the code may be: the current folder, else the script's."""
    with contextlib.suppress(OSError):
        yield Path.cwd()
    if script := command.script():
        yield Path(script).absolute().parent


def collect(job: Job) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What takes longer: the changes since the commit, packages, machine, GPUs.

    Returns:
        JSON-like values, and files by their names; secrets masked.
    """
    values: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    if "git" in job.parts and job.git:
        from runcast.capture import changes

        about, patch = changes.changes(job.git)
        values["git"] = {**job.git, **about}
        if patch:
            files["diff.patch"] = patch
    if "packages" in job.parts:
        from runcast.capture import packages

        values["packages"], files["requirements.txt"] = packages.installed()
    if "machine" in job.parts:
        from runcast.capture import machine

        values |= machine.describe()
    if "gpu" in job.parts:
        from runcast.capture import gpus

        values |= gpus.describe(os.environ)
    return redact_tree(values)[0], files

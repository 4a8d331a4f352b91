"""The command of a run, for another folder and another interpreter."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from runcast.errors import ReproductionError
from runcast.reproduce.past import Past

_MASK = "[redacted]"
_CUT = "…"
_NO_SCRIPT = ("", "-", "-i")


class Places(NamedTuple):
    """Where the run was, and where it is run again.

    Attributes:
        root, tree: folder of the code, then and now.
        executable, python: interpreter, then and now.
    """

    root: Path
    tree: Path
    executable: str
    python: str

    def path(self, text: str) -> str:
        """A path of then as one of now; what is outside of the code stays."""
        here, there = os.path.dirname(self.executable), os.path.dirname(self.python)  # noqa: PTH120  # text
        if here and os.path.dirname(text) == here:  # noqa: PTH120  # a console script beside the interpreter
            beside = os.path.join(there, os.path.basename(text))  # noqa: PTH118, PTH119  # text
            return beside if os.path.exists(beside) else text  # noqa: PTH110  # text
        for root in {str(self.root), str(self.root.resolve())}:
            if text == root or text.startswith(root + os.sep):
                return str(self.tree) + text[len(root) :]
        return text


def command(run: Past, places: Places, given: Sequence[str] = ()) -> list[str]:
    """What to run.

    Args:
        given: what the user says instead of the recorded command.

    Raises:
        ReproductionError: no command was recorded, or part of it was masked, or it was no script.
    """
    if given:
        return [places.python if _means_python(given[0]) else given[0], *given[1:]]
    mend = f"give the command: runcast reproduce {run.id} -- python SCRIPT ARGUMENTS"
    line = str(run.part("command").get("line", ""))
    if not line:
        raise ReproductionError(f"run {run.id} has no recorded command: `capture` left it out; {mend}")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ReproductionError(f"the recorded command cannot be read: {error}; {mend}") from None
    masked = [word for word in words if _MASK in word]
    if masked:
        raise ReproductionError(
            f"the recorded command holds a secret, which was masked: {masked[0]}; {mend}, or better put the "
            "secret into an environment variable"
        )
    if any(word.endswith(_CUT) and len(word) > 10_000 for word in words):
        raise ReproductionError(f"the recorded command is longer than what is kept; {mend}")
    if len(words) < 2 or words[-1] in _NO_SCRIPT or "ipykernel" in line:
        raise ReproductionError(f"run {run.id} was made in a notebook or at a prompt; {mend}")
    return [places.python, *(places.path(word) for word in words[1:])]


def folder(run: Past, places: Places) -> Path:
    """Where to run it: the same folder, inside the code that was checked out where it was inside.

    Raises:
        ReproductionError: the folder is gone.
    """
    then = str(run.part("command").get("folder", ""))
    now = Path(places.path(then)) if then else places.tree
    if places.tree in (now, *now.parents):
        now.mkdir(parents=True, exist_ok=True)  # of files that git does not know
    if not now.is_dir():
        raise ReproductionError(f"the folder in which run {run.id} was started is gone: {now}")
    return now


def variables(
    environ: Mapping[str, str], places: Places, more: Mapping[str, str], *, fresh: bool
) -> dict[str, str]:
    """The environment to run it in.

    Args:
        more: to add.
        fresh: the interpreter is one of a virtual environment made for this, which nothing else may reach.
    """
    found = {**environ, **more}
    entries = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    moved = [places.path(os.path.abspath(entry)) for entry in entries]  # noqa: PTH100  # text
    inside = [entry for entry in moved if entry.startswith(str(places.tree))]
    path = inside if fresh else moved
    found.pop("PYTHONPATH", None)
    if path:
        found["PYTHONPATH"] = os.pathsep.join(path)
    if fresh:
        home = Path(places.python).parent
        found.pop("PYTHONHOME", None)
        found["VIRTUAL_ENV"] = str(home.parent)
        found["PATH"] = os.pathsep.join([str(home), environ.get("PATH", os.defpath)])
    return found


def _means_python(word: str) -> bool:
    """Whether a word means whatever Python there is."""
    return word in ("python", "python3")

"""A repository with a script, runs of it, and the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runcast.journal import Layout

COMMITTED = "import runcast  # the first version, which trains nothing\n"
TRAIN = """
    import sys
    import numpy as np
    import runcast

    runcast.seed_everything(3)
    with runcast.start("fraud/baseline", params={"lr": 0.1}, backends=["local"]) as run:
        weights = np.random.randn(8)
        for step in range(20):
            weights -= 0.1 * (weights - np.random.rand(8))
            run.log({"loss": float((weights**2).sum()), "nan": float("nan")}, step)
    """


class Answer(dict[str, Any]):
    """The JSON of a command, its exit code and what it said on stderr."""

    code: int
    err: str


@dataclass
class Repo:
    """A repository, which is the current folder, with runcast's folder in it.

    Attributes:
        python: interpreter of the script, and of the commands.
    """

    root: Path
    python: str = sys.executable

    @property
    def layout(self) -> Layout:
        """runcast's folder."""
        return Layout(self.root / ".runcast")

    def git(self, *arguments: str) -> str:
        """Run git with an identity of its own."""
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
        command = ["git", "-C", str(self.root), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def state(self) -> tuple[str, ...]:
        """Everything of the repository that a reproduction must leave as it is."""
        asked = (
            ["status", "--porcelain"],
            ["worktree", "list"],
            ["branch", "-a"],
            ["diff"],
            ["stash", "list"],
        )
        return tuple(self.git(*arguments) for arguments in asked)

    def write(self, body: str, path: str = "train.py") -> None:
        """Change a file without committing it."""
        (self.root / path).write_text(textwrap.dedent(body))

    def train(self, *arguments: str, **environment: str) -> str:
        """Run the script; gives the new run's id."""
        before = set(self.layout.run_ids())
        done = subprocess.run(
            [self.python, "train.py", *arguments],
            capture_output=True,
            text=True,
            env={**_environment(), **environment},
        )
        assert done.returncode == 0, done.stderr
        (new,) = set(self.layout.run_ids()) - before
        return new

    def ask(self, *arguments: str, **environment: str) -> Answer:
        """A command of runcast with ``--json``, in a process of its own."""
        code = "from runcast.cli import main; main()"
        cut = list(arguments).index("--") if "--" in arguments else len(arguments)
        words = [*arguments[:cut], "--json", *arguments[cut:]]
        done = subprocess.run(
            [self.python, "-c", code, *words],
            capture_output=True,
            text=True,
            env={**_environment(), **environment},
        )
        answer = Answer(json.loads(done.stdout) if done.stdout else {})
        answer.code, answer.err = done.returncode, done.stderr
        return answer

    def leftovers(self) -> list[Path]:
        """What a reproduction left in the folder for temporary files."""
        return list(Path(os.environ["TMPDIR"]).glob("runcast-reproduce-*"))


def _environment() -> dict[str, str]:
    return {**os.environ, "RUNCAST_CAPTURE": "true"}


@pytest.fixture
def repo(project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository with one commit, and on top of it a training script that is not committed."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setattr("tempfile.tempdir", None)  # it remembers the folder of before
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = Repo(project)
    made.git("init", "-q")
    made.write(COMMITTED)
    made.write(".runcast\ndata\n", ".gitignore")
    made.git("add", ".")
    made.git("commit", "-q", "-m", "first")
    made.write(TRAIN)
    return made

"""A past run again as a whole: worktree, patch, and an environment that pip makes from the exact versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runcast.reproduce.past import read

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from .conftest import Repo

CHECKOUT = Path(__file__).parents[2]
TRAIN = """
    import idna, numpy, runcast
    runcast.seed_everything(3)
    with runcast.start("fraud/baseline", params={"idna": idna.__version__}, backends=["local"]) as run:
        weights = numpy.random.randn(64)
        for step in range(50):
            weights -= 0.1 * (weights - numpy.random.rand(64))
            run.log({"loss": float((weights**2).sum())}, step)
    """


def pip(python: Path, *packages: str) -> None:
    """Install into an environment that has no pip of its own."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    command += ["--disable-pip-version-check", "-c", str(CHECKOUT / "constraints.txt"), *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_in_an_environment_of_the_exact_versions(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Since the run, script and packages have changed: both are as they were then, and so is every bit."""
    base = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base)], check=True)
    python = base / "bin" / "python"
    pip(python, "-e", str(CHECKOUT), "numpy", "idna==3.10")
    repo.python = str(python)
    repo.write(TRAIN)
    old = repo.train()
    repo.write("raise SystemExit('this is not the code of that run')")
    pip(python, "idna==3.9")
    before = repo.state()

    answer = repo.ask("reproduce", old)

    assert (answer.code, answer["ok"], answer["notes"]) == (0, True, []), answer.err
    (loss,) = answer["metrics"]
    assert (loss["points"], loss["matched"], loss["largest"]) == (50, 50, 0.0)
    then, now = (read(repo.layout.root, run) for run in (old, answer["again"]))
    assert then.points == now.points
    assert (then.params, now.params) == ({"idna": "3.10"}, {"idna": "3.10"})
    executable = Path(now.part("python")["executable"])
    assert executable.parts[-3:] == ("env", "bin", "python")
    assert not executable.exists()
    had, has = (past.part("packages") for past in (then, now))
    assert {"runcast", "numpy", "idna"} <= had.keys()
    assert had.items() <= has.items()
    assert has.keys() - had.keys() <= {"pip", "setuptools"}  # of pip itself
    listed = [set((past.content("requirements.txt") or b"").splitlines()) for past in (then, now)]
    assert listed[0] <= listed[1]
    assert now.part("git")["commit"] == then.part("git")["commit"]
    assert repo.state() == before
    assert not repo.leftovers()

    gone = repo.ask("reproduce", old, "--package", "idna==0.0.1")
    assert (gone.code, "pip cannot find idna==0.0.1" in gone.err) == (1, True), gone.err
    assert repo.state() == before
    assert not repo.leftovers()

"""A past run again: same code, same numbers, and true words where they are not."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runcast import catalog
from runcast.reproduce.past import read

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from .conftest import Repo


def test_a_dirty_working_tree_gives_the_same_bits(repo: Repo) -> None:
    """The script that trains was never committed; since then it has changed, and that change stays."""
    old = repo.train()
    repo.write("raise SystemExit('this is not the code of that run')")
    before = repo.state()

    answer = repo.ask("reproduce", old, "--no-env")

    assert (answer.code, answer["ok"], answer["causes"]) == (0, True, []), answer.err
    assert [(m["key"], m["points"], m["again"], m["matched"]) for m in answer["metrics"]] == [
        ("loss", 20, 20, 20),
        ("nan", 20, 20, 20),
    ]
    assert repo.state() == before
    assert not repo.leftovers()
    then, now = (read(repo.layout.root, run) for run in (old, answer["again"]))
    assert then.points["loss"] == now.points["loss"]
    assert all(math.isnan(value) for _, value in now.points["nan"])
    assert now.tags == {"runcast.reproduces": old}
    assert now.status == "finished"
    (linked,) = catalog.runs(where=f"tags.runcast.reproduces = '{old}'")
    assert linked.id == answer["again"]


def test_torch_on_the_cpu_gives_the_same_bits(repo: Repo) -> None:
    """A network that is trained, with its weights drawn by the seed."""
    repo.write(
        """
        import torch, runcast
        with runcast.reproducible(seed=11), runcast.start("net", backends=["local"]) as run:
            net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
            optimizer = torch.optim.Adam(net.parameters())
            for step in range(5):
                loss = (net(torch.randn(32, 8)) ** 2).mean()
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                run.log({"loss": loss.item()}, step)
        """
    )
    answer = repo.ask("reproduce", repo.train(), "--no-env")

    assert (answer.code, answer["metrics"][0]["matched"]) == (0, 5)


def test_the_first_step_that_differs_and_why(repo: Repo) -> None:
    """From step 3 on another number comes from outside: a tolerance forgives it, exactness does not."""
    repo.write(
        """
        import os, runcast
        with runcast.start("e", params={"extra": os.environ.get("EXTRA", "0")}, backends=["local"]) as run:
            for step in range(6):
                run.log({"loss": 1.0 + step + (float(os.environ.get("EXTRA", 0)) if step > 2 else 0)}, step)
                if step < 5 or "EXTRA" not in os.environ:
                    run.log({"other": step, "time/s": float(os.getpid())}, step)
        """
    )
    old = repo.train()

    exact = repo.ask("reproduce", old, "--no-env", "--ignore", "time/*", EXTRA="0.001")
    loss, other = exact["metrics"]
    assert exact.code == 1
    assert (loss["step"], loss["then"], loss["now"], loss["matched"]) == (3, 4.0, 4.001, 3)
    assert (other["step"], other["then"], other["now"], other["again"]) == (5, 5, None, 5)
    assert exact["causes"][0] == "other params: extra: 0 → 0.001"
    assert "no seed" in exact["causes"][1]

    near = repo.ask("reproduce", old, "--no-env", "--atol", "0.01", EXTRA="0.001")
    assert [metric["ok"] for metric in near["metrics"]] == [True, False, False]


def test_a_drawn_seed_is_drawn_as_recorded(repo: Repo) -> None:
    """A script that takes its seed from the clock gets the old one, and hashes of text are as seeded."""
    repo.write(
        """
        import os, random, runcast
        runcast.seed_everything(int.from_bytes(os.urandom(4), "big"))
        with runcast.start("e", backends=["local"]) as run:
            run.log({"x": random.random()})
        """
    )
    answer = repo.ask("reproduce", repo.train(), "--no-env")

    assert answer.code == 0
    assert "as recorded" in answer.err


def test_arguments_folders_and_other_modules(repo: Repo) -> None:
    """The script runs where it ran, with its arguments, and imports modules of the commit, not of today."""
    (repo.root / "lib").mkdir()
    repo.write("VALUE = 1\n", "lib/mine.py")
    repo.git("add", "lib")
    repo.git("commit", "-q", "-m", "lib")
    repo.write(
        """
        import pathlib, sys
        sys.path.insert(0, "lib")
        import mine, runcast
        with runcast.start("e", backends=["local"], name="named") as run:
            run.log_params({"arguments": sys.argv[1:], "folder": pathlib.Path.cwd().name == "code"})
            run.log({"value": mine.VALUE})
        """
    )
    old = repo.train("--flag", "two words", str(repo.root / "out"))
    repo.write("VALUE = 2\n", "lib/mine.py")

    answer = repo.ask("reproduce", "named", "--no-env", PYTHONPATH=_path(repo))

    assert answer["metrics"][0]["ok"]
    changed = {row["key"]: (row["one"], row["other"]) for row in answer["params"]}
    assert changed.keys() == {"arguments", "folder"}
    assert changed["arguments"][1][:2] == ["--flag", "two words"]
    assert changed["arguments"][1][2].endswith("/code/out")
    assert read(repo.layout.root, old).tags == {}


def _path(repo: Repo) -> str:
    return os.pathsep.join([str(repo.root / "lib"), os.environ.get("PYTHONPATH", "")])


def test_a_run_that_was_resumed_stays_as_it_was(repo: Repo) -> None:
    """Running the command again must not write into the old run, though the script asks for it."""
    repo.write(
        """
        import sys, runcast
        with runcast.start("e", backends=["local"], resume=sys.argv[1] if sys.argv[1:] else None) as run:
            run.log({"x": 1.0})
        """
    )
    old = repo.train()
    subprocess.run([sys.executable, "train.py", old], check=True, capture_output=True)
    before = sorted(path.name for path in repo.layout.journal(old).iterdir())

    answer = repo.ask("reproduce", old, "--no-env", "--", "python", "train.py", old)

    assert answer["again"] not in (None, old)
    assert sorted(path.name for path in repo.layout.journal(old).iterdir()) == before


def test_it_can_be_kept(repo: Repo) -> None:
    """With --keep the worktree stays, with the code of then, until git is told to remove it."""
    old = repo.train()
    script = (repo.root / "train.py").read_text()
    repo.write("pass\n")

    answer = repo.ask("reproduce", old, "--no-env", "--keep")

    assert (Path(answer["kept"]) / "code" / "train.py").read_text() == script
    repo.git("worktree", "remove", "--force", f"{answer['kept']}/code")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_half_way(repo: Repo, number: int) -> None:
    """A scheduler's or a person's stop leaves no worktree, no folder and no script behind."""
    repo.write(
        """
        import os, pathlib, sys, time, runcast
        with runcast.start("e", backends=["local"]) as run:
            run.log({"x": 1.0})
            if "HERE" in os.environ:
                pathlib.Path(os.environ["HERE"]).write_text(str(os.getpid()))
                time.sleep(600)
        """
    )
    old = repo.train()
    before = repo.state()
    here = repo.root / "data"
    code = "from runcast.cli import main; main()"
    command = subprocess.Popen(
        [sys.executable, "-c", code, "reproduce", old, "--no-env"],
        env={**os.environ, "HERE": str(here)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (here.exists() and here.read_text()) and time.monotonic() < deadline:
        assert command.poll() is None
    command.send_signal(number)

    assert command.wait(60) != 0
    pid = int(here.read_text())
    here.unlink()
    assert not Path(f"/proc/{pid}").exists()
    assert repo.state() == before
    assert not repo.leftovers()

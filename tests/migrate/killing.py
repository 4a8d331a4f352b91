"""Migrations that are killed at random points, and what the target is in the end.

``python -m tests.migrate.killing [KILLS] [SEED]``, or ``make soak-migrate``: every direction in turn, until
so many processes were killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import runcast
from runcast.journal import Blobs
from runcast.migrate.content import Content, Uncopied
from runcast.plugins.manager import source_class
from runcast.plugins.source import Selection, Source
from runcast.sources.local import LocalSource

PLACES = {"local": "there", "mlflow": "sqlite:///{folder}/there.db", "tensorboard": "tb", "wandb": "wandb"}
"""Destination → its place in a folder."""
DIRECTIONS = tuple(PLACES)
"""The source is a folder of journals, the one that every destination can be filled from."""


def fill(root: Path, runs: int = 5, points: int = 1500) -> None:
    """Make a source: runs with params, tags, metrics, text and files, and a registered model."""
    for number in range(runs):
        run = runcast.start(
            "exp", name=f"r{number}", params={"lr": 0.1 * number}, tags={"n": str(number)},
            backends=["local"], config={"dir": str(root), "delivery": "later", "capture": False},
        )  # fmt: skip
        for step in range(points):
            run.log({"loss": 1 / (step + 1), "acc": step}, step=step)
        run.log({"words": runcast.Text(f"hello {number}")}, step=0)
        file = root / f"file{number}"
        file.write_bytes(os.urandom(1000))
        run.log_artifact(file, name="weights", type="model")
        run.finish(timeout=0)
    with runcast.registry("local", config={"dir": str(root)}) as registry:
        for number in range(3):
            registry.register("net", root / f"file{number}", aliases=["best"], tags={"n": str(number)})


def place(folder: Path, dest: str) -> str:
    """Where the target is, in its tracker's words."""
    where = PLACES[dest].format(folder=folder)
    return where if ":" in where else str(folder / where)


def command(folder: Path, dest: str, jobs: int) -> tuple[list[str], dict[str, str]]:
    """How to migrate ``folder/source``, and in which environment."""
    source = f"local:{folder.parent / 'source'}"
    arguments = ["migrate", source, f"{dest}:{place(folder, dest)}", "--jobs", str(jobs), "--json"]
    environment = {**os.environ, "RUNCAST_DIR": str(folder / "rc"), "WANDB_DIR": str(folder)}
    return [sys.executable, "-c", "from runcast.cli import main; main()", *arguments], environment


def digest(folder: Path, dest: str) -> str:
    """Of all that the target holds: how many runs, and what is in each."""
    if dest == "local":
        source = LocalSource(str(folder / "there"))
        found = list(source.runs(Selection()))
        contents = [run.id + Content.of(source.read(run, Uncopied())).fingerprint() for run in found]
        known = sorted(info.id for info in runcast.runs(dir=folder / "there"))
        assert known == sorted(run.id for run in found), "the catalog's runs are those of the journals"
        for run in found:  # every file is there
            for record in source.read(run, Blobs(folder / "copied")):
                assert record.__struct_config__.tag != "lost", record
        return hashlib.sha256("\n".join(sorted(contents) + models(source)).encode()).hexdigest()
    source = source_class(dest)(place(folder, dest))
    with contextlib.closing(source):
        found = list(source.runs(Selection()))
        contents = [run.name + Content.of(source.read(run, Uncopied())).fingerprint() for run in found]
        return hashlib.sha256("\n".join(sorted(contents) + models(source)).encode()).hexdigest()


def models(source: Source) -> list[str]:
    """What a source has of registered models, files by their content."""
    return [
        f"{model.name}:{v.version} {v.aliases} {v.tags} {[ref.sha256 for ref in source.files(v, Uncopied())]}"
        for model in source.registered()
        for v in model.versions
    ]


def kill_some(folder: Path, dest: str, jobs: int, within: float, rng: random.Random) -> bool:
    """Start a migration and kill it, or a process of its own, at a random moment; False where it was over."""
    arguments, environment = command(folder, dest, jobs)
    process = subprocess.Popen(
        arguments, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(0.2, within))
        return False
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        children = psutil.Process(process.pid).children(recursive=True)
        if children and rng.random() < 0.4:
            os.kill(rng.choice(children).pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0.2, within))
    process.kill()
    process.wait()
    return True


def finish(folder: Path, dest: str, jobs: int) -> None:
    """The same command, left alone; it may wait for what a killed one left to die."""
    arguments, environment = command(folder, dest, jobs)
    deadline = time.monotonic() + 120
    while True:
        done = subprocess.run(
            arguments, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        busy = "another process is at work" in done.stderr
        if not busy or time.monotonic() > deadline:
            raise AssertionError(f"{dest}: {done.stderr[-2000:]}{done.stdout[-2000:]}")


def soak(root: Path, kills: int, seed: int, directions: tuple[str, ...] = DIRECTIONS, each: int = 2) -> int:
    """Kill until `kills` were made, `each` before a migration may end; gives how many were made.

    Raises:
        AssertionError: a target differs from that of a run that nobody killed.
    """
    rng = random.Random(seed)  # noqa: S311  # when to kill is no secret
    fill(root / "source")
    clean, length = {}, {}
    for number, dest in enumerate(directions):
        folder = root / f"{number:05}-clean"  # as long as the others: files have the lengths of paths in them
        folder.mkdir()
        began = time.monotonic()
        finish(folder, dest, 2)
        clean[dest], length[dest] = digest(folder, dest), time.monotonic() - began
    made = turn = 0
    while made < kills:
        dest = directions[turn % len(directions)]
        folder = root / f"{turn:05}-kills"
        folder.mkdir()
        jobs = rng.choice((1, 2))
        made += sum(kill_some(folder, dest, jobs, length[dest] * 0.8, rng) for _ in range(each))
        finish(folder, dest, jobs)
        assert digest(folder, dest) == clean[dest], f"{dest} differs after kills, seed {seed}: see {folder}"
        shutil.rmtree(folder)
        turn += 1
    return made


if __name__ == "__main__":
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    room = Path(tempfile.mkdtemp(prefix="runcast-soak-"))
    print(f"seed {chosen}, in {room}", flush=True)
    began_at = time.monotonic()
    count = soak(room, total, chosen)
    print(f"{count} kills, every target as of a clean migration; {time.monotonic() - began_at:.0f} s")

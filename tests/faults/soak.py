"""``make soak``: kill scripts and couriers at random for as long as asked, and look for what is lost.

``SOAK_KILLS`` processes die (1,000 where neither is given), or as many as die in ``SOAK_SECONDS``; whichever
is reached first where both are given. ``SOAK_SEED`` repeats a soak. After a failure the journals and the
trackers' files are kept, and the seed of the round is printed: ``SOAK_SEED=<that> SOAK_KILLS=1 make soak``
plays the same round again; the moments of death depend on the machine, the plan does not.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from runcast.courier.catchup import deliver, find_pending
from runcast.courier.supervisor import Supervisor

from .lives import STEPS
from .oracle import check
from .project import ALL, FILES, Project, fresh_database

SCRIPTS, LIVE_SCRIPTS, WORKERS, STEPPED = 20, 2, 5, 5
"""Deaths a round: scripts, scripts with a courier of their own, workers at random moments, and at steps."""
SPAN = 10.0
"""Seconds of delivery within which workers die."""
LONGEST = 300.0


class WorkerKiller:
    """Kills workers while they deliver, a moment after whatever they said last."""

    def __init__(self, luck: random.Random, count: int) -> None:
        self._luck = luck
        self._began = time.monotonic()
        self._moments = sorted(luck.uniform(0, SPAN) for _ in range(count))
        self._timers: list[threading.Timer] = []
        self.killed = 0

    def __call__(self, supervisor: Supervisor) -> None:
        """About twice a second, and after each word of a worker: is it time?"""
        if not self._moments or time.monotonic() - self._began < self._moments[0]:
            return
        processes = [worker._process for worker in supervisor.workers.values() if worker._process]
        if processes:
            del self._moments[0]
            victim = self._luck.choice(processes)
            self._timers.append(threading.Timer(self._luck.uniform(0, 0.3), self._kill, [victim]))
            self._timers[-1].start()

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.kill()
            self.killed += 1

    def wait(self) -> int:
        """How many died."""
        for timer in self._timers:
            timer.join()
        return self.killed


def deliver_among_deaths(project: Project, luck: random.Random, deaths: int) -> int:
    """Deliver every run while workers die; gives how many did."""
    killer = WorkerKiller(luck, deaths)
    pending = find_pending(project.layout, project.options)
    assert deliver(project.layout, pending, LONGEST, killer), f"not delivered within {LONGEST} s"
    left = find_pending(project.layout, project.options)
    assert not left, f"still pending: {[(item.run, *item.backends) for item in left]}"
    return killer.wait()


def kill_round(folder: Path, seed: str, database: bytes) -> Counter[str]:
    """Everything that can die, once; gives what did.

    Raises:
        AssertionError: something was lost, doubled or invented.
    """
    luck = random.Random(seed)  # noqa: S311  # repeatable, not secret
    counts: Counter[str] = Counter()
    project = Project(folder, ALL, database)
    victims = project.program("trainers", SCRIPTS, f"{seed}-later", "later")
    quick = Project(folder, FILES)
    victims += quick.program("trainers", LIVE_SCRIPTS, f"{seed}-live", "process")
    counts["workers"] = deliver_among_deaths(project, luck, WORKERS)
    for number, victim in enumerate(victims):
        counts["scripts"] += 1
        counts["couriers"] += victim["couriers"]
        counts["records"] += victim["acknowledged"]
        if victim["run"]:
            where = project if number < SCRIPTS else quick
            check(where, victim["run"], victim["acknowledged"])
            counts["runs"] += 1
    one = Project(folder, (luck.choice(ALL),))
    run = one.crashed_run(120)
    steps = one.program("lives", run, *(luck.randrange(1, 4 * len(STEPS)) for _ in range(STEPPED)))
    check(one, run, 120)
    counts["workers"] += sum(step is not None for step in steps[one.backends[0]])
    return counts


def killed(counts: Counter[str]) -> int:
    """Processes that died."""
    return counts["scripts"] + counts["couriers"] + counts["workers"]


def told(counts: Counter[str]) -> str:
    """For people."""
    return (
        f"{killed(counts)} kills ({counts['scripts']} scripts, {counts['workers']} workers, "
        f"{counts['couriers']} couriers with theirs); {counts['runs']} runs with {counts['records']} "
        "acknowledged records, none lost, none twice"
    )


def soak(kills: float, seconds: float, seed: str, console: Console) -> int:
    """Rounds until so many died or the time is over; 0, or 1 after a failure."""
    began, total, number = time.monotonic(), Counter[str](), 0
    with (
        tempfile.TemporaryDirectory() as place,
        Progress(TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as progress,
    ):
        database = fresh_database(Path(place))
        task = progress.add_task("first round")
        while killed(total) < kills and time.monotonic() - began < seconds:
            mark = seed if number == 0 else f"{seed}.{number}"
            folder = Path(place) / f"round-{number}"
            try:
                total += kill_round(folder, mark, database)
            except Exception as error:
                kept = Path.cwd() / f"soak-failure-{mark}"
                shutil.move(folder, kept)
                console.print(f"[red]failed[/red]: {error}\nseed {mark}; kept in {kept}")
                return 1
            shutil.rmtree(folder, ignore_errors=True)
            number += 1
            progress.update(task, description=told(total))
    console.print(f"{told(total)}; seed {seed}, {number} rounds, {time.monotonic() - began:.0f} s")
    return 0


def main() -> None:
    """Read the three variables."""
    seconds = os.environ.get("SOAK_SECONDS", "")
    kills = os.environ.get("SOAK_KILLS", "" if seconds else "1000")
    seed = os.environ.get("SOAK_SEED") or os.urandom(4).hex()
    sys.exit(soak(float(kills or "inf"), float(seconds or "inf"), seed, Console()))


if __name__ == "__main__":
    main()

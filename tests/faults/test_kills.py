"""``kill -9`` of scripts, workers and couriers, at random moments and at each step, in all four trackers.

A part of what ``make soak`` does for as long as asked. Everything is read back by each tracker's own reader.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from runcast.courier.catchup import deliver, find_pending

from . import soak
from .lives import STEPS
from .oracle import check
from .project import ALL, FILES, Project

SCRIPTS = 24
POINTS = {"mlflow": 60, "wandb": 400, "tensorboard": 400, "local": 400}
# Three times each: where the first one dies while it makes a file, the next one takes a shorter way.
LASTS = {
    "mlflow": [*range(1, 18)],  # each worker needs a third of a second to open the run
    **{name: [*sorted([*range(1, 17)] * 3), 2, 2] for name in FILES},
}
"""Before which of its steps each worker on its way to a tracker dies."""


@pytest.mark.fault(
    "F01",
    how="24 scripts killed at random moments (`make soak`: 1,000 processes); shared memory counts what was "
    "acknowledged",
    outcome="every acknowledged record is in all four trackers, once; each run ends `crashed`",
)
@pytest.mark.fault(
    "F02",
    how="workers of all four trackers killed at random moments while they deliver those runs",
    outcome="the same: nothing lost, nothing twice",
)
def test_killed_scripts_and_workers_lose_and_double_nothing(tmp_path: Path, database: bytes) -> None:
    """What `run.log` returned from is in each tracker once, at its step, and the run is a crashed one."""
    project = Project(tmp_path / "project", ALL, database)
    victims = project.program("trainers", SCRIPTS, "make test", "later")
    deaths = soak.deliver_among_deaths(project, random.Random(1), 3)  # noqa: S311  # repeatable, not secret

    assert deaths > 0
    points = [check(project, v["run"], v["acknowledged"]) for v in victims if v["run"]]
    assert sum(points) > 10 * SCRIPTS


@pytest.mark.fault(
    "F02",
    how="worker after worker killed before its 1st, 2nd, 3rd ... step: open, deliver, each sync of the "
    "tracker's files, create, write, fsync, close, rename of the cursor, fsync of its folder",
    outcome="each goes on from what the one before had saved: nothing lost, nothing twice, in each tracker",
)
@pytest.mark.parametrize("backend", ALL)
def test_a_worker_may_die_at_every_step(tmp_path: Path, database: bytes, backend: str) -> None:
    """However often the worker dies between tracker, acknowledgement and cursor, the run arrives whole."""
    project = Project(tmp_path / "project", (backend,), database if backend == "mlflow" else None)
    run = project.crashed_run(POINTS[backend])
    died = project.program("lives", run, *LASTS[backend])[backend]

    assert None not in died
    assert set(STEPS) - set(died) == set()
    check(project, run, POINTS[backend])


@pytest.mark.fault(
    "F03",
    how="scripts killed while their courier works, then courier and workers, all at once",
    outcome="`runcast deliver` completes every run, which ends `crashed`",
)
def test_what_died_with_all_its_processes_is_delivered_later(tmp_path: Path) -> None:
    """After script, courier and workers were killed, nothing is missing and nothing is twice."""
    project = Project(tmp_path / "project", FILES)
    victims = project.program("trainers", 4, "all at once", "process")
    assert sum(victim["couriers"] for victim in victims) > 0

    assert deliver(project.layout, find_pending(project.layout, {}), 60.0)
    for victim in victims:
        if victim["run"]:
            check(project, victim["run"], victim["acknowledged"])

"""From a logdir into other trackers and back, through the whole machinery; the logdir stays as it is."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from runcast.backends.tensorboard import TensorBoardBackend
from runcast.migrate import migrate, prepare
from runcast.migrate.verify import verify
from runcast.testing.courier import Courier
from runcast.testing.golden import STORIES


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Digest and time of every file and folder."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
        )
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    """A run of torch's with a session of its own, a child, and one that our backend wrote."""
    from torch.utils.tensorboard import SummaryWriter

    folder = tmp_path / "runs"
    writer = SummaryWriter(str(folder / "old" / "a"))
    for step in range(50):
        writer.add_scalar("loss", 1 / (step + 1), step)
    writer.add_scalars("both", {"train": 0.5, "val": 0.25}, 3)
    writer.add_text("why", "because")
    writer.add_image("picture", np.zeros((3, 2, 2), np.uint8), 1)
    writer.add_histogram("weights", np.arange(9.0), 2)
    writer.add_hparams({"lr": 0.5, "on": True}, {"accuracy": 0.75})
    writer.add_embedding(np.eye(3, dtype=np.float32), tag="em")
    writer.close()
    Courier(TensorBoardBackend, {"logdir": "runs"}, tmp_path, STORIES["varied"]()).play()
    age(folder)
    return folder


def age(folder: Path) -> None:
    """Make files look as if nobody wrote to them for long."""
    then = time.time() - 10_000
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_mtime > then + 1000:
            os.utime(path, (then, then))


def brought(source: str, destination: str, root: Path) -> None:
    """Migrate everything, and compare every point and file."""
    plan = prepare(source, destination, root)
    done = migrate(plan, jobs=1)
    assert (done.failed, done.delivered) == (0, done.runs)
    assert {entry.reason for entry in plan.manifest.runs.values()} <= {"", "x: no number (2 times)"}
    checked = list(verify(plan))
    assert len(checked) == done.runs
    assert [(run.name, run.differences, run.problem) for run in checked if not run.ok] == []
    assert sum(run.points for run in checked) > 50


def test_there_and_back(logdir: Path, tmp_path: Path) -> None:
    """TensorBoard → local → TensorBoard → local: the same in each; the first is not touched."""
    before = state(logdir)

    brought(f"tensorboard:{logdir}", f"local:{tmp_path / 'x'}", tmp_path / "m1")
    brought(f"local:{tmp_path / 'x'}", f"tensorboard:{tmp_path / 'again'}", tmp_path / "m2")
    brought(f"tensorboard:{tmp_path / 'again'}", f"local:{tmp_path / 'y'}", tmp_path / "m3")

    assert state(logdir) == before


def test_a_second_migration_writes_nothing_and_growth_is_added(logdir: Path, tmp_path: Path) -> None:
    """Only what is new is read again, and only new points go on."""
    addresses = f"tensorboard:{logdir}", f"local:{tmp_path / 'x'}", tmp_path / "m"
    first = migrate(prepare(*addresses), jobs=1)
    again = migrate(prepare(*addresses), jobs=1)
    assert (again.unchanged, again.records) == (first.runs, 0)

    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(logdir / "old" / "a"))
    writer.add_scalar("loss", 0.125, 50)
    writer.close()
    age(logdir)
    grown = migrate(prepare(*addresses), jobs=1)

    assert (grown.unchanged, grown.points, grown.failed) == (first.runs - 1, 1, 0)
    assert [run.differences for run in verify(prepare(*addresses)) if not run.ok] == []

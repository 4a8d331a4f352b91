"""From end to end with the migration's engine: W&B's folder and server, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from wandb_reading import deliver

from runcast.migrate import migrate, prepare
from runcast.migrate.verify import verify
from runcast.testing import STORIES


def carry(source: str, destination: str, root: Path) -> None:
    """Migrate, and compare every point and file."""
    plan = prepare(source, destination, root)
    migrate(plan, jobs=1)
    problems = {run: entry for run, entry in plan.manifest.runs.items() if entry.ref is None}
    assert not problems
    results = list(verify(prepare(source, destination, root)))
    assert results
    for result in results:
        assert not result.problem
        assert not result.differences


@pytest.mark.parametrize("name", ["training", "everything"])
def test_there_and_back(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B → runcast's journals → W&B: the same run, verified each time."""
    monkeypatch.chdir(tmp_path)
    deliver(STORIES[name](), tmp_path / "a")
    carry(f"wandb:{tmp_path / 'a' / 'wandb'}", f"local:{tmp_path / 'journals'}", tmp_path / ".m1")
    carry(f"local:{tmp_path / 'journals'}", f"wandb:{tmp_path / 'b' / 'wandb'}", tmp_path / ".m2")

"""``kill -9`` at random points: the target is the same as that of one clean run."""

from __future__ import annotations

from pathlib import Path

import pytest

from .killing import DIRECTIONS, soak

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("dest", DIRECTIONS)
def test_killed_at_any_point_it_comes_to_the_same(dest: str, tmp_path: Path) -> None:
    """The migrating process, a process that reads, or a worker that delivers; two kills, then to the end."""
    assert soak(tmp_path, 1, seed=len(dest), directions=(dest,)) >= 1

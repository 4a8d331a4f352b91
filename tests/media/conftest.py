"""Fixtures of the media values' tests."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest

import runcast

from .reading import LATER

matplotlib.use("Agg")


@pytest.fixture
def run(project: Path) -> runcast.Run:
    """A run that only writes its journal."""
    return runcast.start("exp", config=LATER)

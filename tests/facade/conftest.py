"""Fixtures of the facade's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

import runcast

from .saying import LATER


@pytest.fixture
def run(project: Path) -> runcast.Run:
    """A run that only writes its journal."""
    return runcast.start("exp", config=LATER)

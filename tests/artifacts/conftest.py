"""Runs that only write their journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runcast

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def begin(project: Path) -> Callable[..., runcast.Run]:
    """Start a run in the test's own project."""

    def start(experiment: str = "digits", **arguments: object) -> runcast.Run:
        return runcast.start(experiment, config={"delivery": "later"}, **arguments)  # type: ignore[arg-type]

    return start


@pytest.fixture
def run(begin: Callable[..., runcast.Run]) -> runcast.Run:
    """One run."""
    return begin()

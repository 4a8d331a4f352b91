"""How fuzzing is budgeted, what one example may cost, and where failures are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from ..support.memory import little_memory

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""For how long ``make fuzz`` runs each target; 0: a small, always equal part, for the suite."""
EXAMPLES = 60

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES if not SECONDS else 500,
    deadline=None,
    derandomize=not SECONDS,
    print_blob=False,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """The inputs are some kilobytes; a reader that wants gigabytes fails."""
    with little_memory():
        yield

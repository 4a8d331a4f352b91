"""How fuzzing is budgeted, what one example may cost, and where failures are kept."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""For how long ``make fuzz`` runs each target; 0: a small, always equal part, for the suite."""
EXAMPLES = 60
MEMORY = 3 << 30
"""Bytes of address space while a reader works; the inputs are some kilobytes, NumPy reserves the most."""

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
def little_memory() -> Iterator[None]:
    """A huge allocation fails at once, instead of dragging the machine down.

    The limit is on top of what other tests have mapped: without room, the stack itself could not grow.
    """
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)

"""A limit of memory, for tests of what somebody else's bytes make a reader do."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

ROOM = 3 << 30
"""Bytes of address space; NumPy and its like reserve much that they do not use."""


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """A huge allocation fails at once, instead of dragging the machine down; processes inherit that.

    The limit is on top of what other tests have mapped: without room no stack can grow and no thread start.
    """
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)

"""The kit against the backends that come with it: the oracle passes, liars are found out."""

from __future__ import annotations

from runcast.plugins import OpenRun
from runcast.testing import BackendContract, MemoryBackend, NullBackend, ReadBack


class TestMemory(BackendContract):
    """The oracle."""

    backend = MemoryBackend

    def read_back(self, run: OpenRun) -> ReadBack:
        """What its store holds."""
        return MemoryBackend.read_back(run.id)


class TestNull(BackendContract):
    """A backend that keeps nothing, and says so, keeps its promise."""

    backend = NullBackend

    def read_back(self, run: OpenRun) -> ReadBack:
        """Nothing."""
        return ReadBack()

"""For authors of backends and sources, and for tests of scripts that log with runcast.

`BackendContract` is the conformance kit: subclass it in a test module, say how to read the tracker
without the backend, and pytest runs the whole suite. `SourceContract` is the kit for sources.
`docs/plugins.md` shows both. The pytest plugin that comes with runcast gives every test the fixtures
of `runcast.testing.pytest_plugin`.

Needs ``pip install 'runcast[testing]'``; nothing here is imported by ``import runcast``, and what needs
pytest or hypothesis only when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runcast.testing.clock import FakeClock
    from runcast.testing.contract import BackendContract
    from runcast.testing.courier import Courier
    from runcast.testing.faulty import ChaosBackend, FailingBackend, NullBackend
    from runcast.testing.golden import STORIES, Story
    from runcast.testing.memory import MemoryBackend, recorded
    from runcast.testing.readback import ReadBack
    from runcast.testing.source_contract import SourceContract

_HOMES = {
    "BackendContract": "contract",
    "ChaosBackend": "faulty",
    "Courier": "courier",
    "FailingBackend": "faulty",
    "FakeClock": "clock",
    "MemoryBackend": "memory",
    "NullBackend": "faulty",
    "ReadBack": "readback",
    "STORIES": "golden",
    "SourceContract": "source_contract",
    "Story": "golden",
    "recorded": "memory",
}

__all__ = [
    "STORIES",
    "BackendContract",
    "ChaosBackend",
    "Courier",
    "FailingBackend",
    "FakeClock",
    "MemoryBackend",
    "NullBackend",
    "ReadBack",
    "SourceContract",
    "Story",
    "recorded",
]


def __getattr__(name: str) -> Any:
    """Load a name from its module when it is asked for."""
    if name in _HOMES:
        return getattr(import_module(f"runcast.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'runcast.testing' has no attribute {name!r}")

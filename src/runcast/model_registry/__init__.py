"""Model registries: one vocabulary over every tracker that has one. ``docs/registry.md`` tells how to use it.

- `opening`: from configuration to registries; `single` and `several`: what is done with one, and with all.
- `naming`: what ``name@alias``, ``name/stage`` and ``name:v3`` mean, and which names are legal.
- `candidates`: from a run, an artifact or a folder to what a registry takes.
- `conditions`, `promotion`, `stages`: whether a version may enter a stage, and moving it there or back.
"""

from runcast.model_registry.conditions import Check
from runcast.model_registry.opening import registry
from runcast.model_registry.promotion import Refused, Request
from runcast.model_registry.several import Answer, Found, Registries
from runcast.model_registry.single import Comparison, ModelRegistry
from runcast.plugins.registry import Event, ModelVersion

__all__ = [
    "Answer",
    "Check",
    "Comparison",
    "Event",
    "Found",
    "ModelRegistry",
    "ModelVersion",
    "Refused",
    "Registries",
    "Request",
    "registry",
]

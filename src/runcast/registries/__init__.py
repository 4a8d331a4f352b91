"""Runcast's own registries: each knows one tracker's model versions."""

from __future__ import annotations

from runcast.plugins.hookspecs import hookimpl
from runcast.plugins.registry import Registry


@hookimpl
def runcast_registries() -> list[type[Registry]]:
    """Every registry that comes with runcast."""
    return []

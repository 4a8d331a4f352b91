"""The hooks of the entry-point group ``runcast``; a plugin module implements any of them."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from runcast.plugins.backend import Backend
from runcast.plugins.registry import Registry
from runcast.plugins.source import Source

hookspec = pluggy.HookspecMarker("runcast")
hookimpl = pluggy.HookimplMarker("runcast")


@hookspec
def runcast_backends() -> Sequence[type[Backend]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the backend classes of this plugin."""


@hookspec
def runcast_sources() -> Sequence[type[Source]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the source classes of this plugin."""


@hookspec
def runcast_registries() -> Sequence[type[Registry]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the registry classes of this plugin."""

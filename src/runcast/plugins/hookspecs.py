"""The hooks of the entry-point group ``runcast``; a plugin module implements any of them."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from runcast.plugins.backend import Backend

hookspec = pluggy.HookspecMarker("runcast")
hookimpl = pluggy.HookimplMarker("runcast")


@hookspec
def runcast_backends() -> Sequence[type[Backend]]:  # type: ignore[empty-body]  # a specification has no body
    """Return the backend classes of this plugin."""

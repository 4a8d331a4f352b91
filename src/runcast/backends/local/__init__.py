"""The local backend: the catalog, an SQLite index of every run beside its journals."""

from __future__ import annotations

from collections.abc import Sequence

from runcast.backends.local.backend import LocalBackend
from runcast.plugins import Backend, hookimpl

__all__ = ["LocalBackend"]


@hookimpl
def runcast_backends() -> Sequence[type[Backend]]:
    """The backend of this plugin."""
    return [LocalBackend]

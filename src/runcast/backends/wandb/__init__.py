"""Weights & Biases: runs in its own offline layout, carried to a server by its own client."""

from __future__ import annotations

from collections.abc import Sequence

from runcast.backends.wandb.backend import WandbBackend
from runcast.backends.wandb.options import WandbOptions
from runcast.plugins import Backend, hookimpl

__all__ = ["WandbBackend", "WandbOptions"]


@hookimpl
def runcast_backends() -> Sequence[type[Backend]]:
    """The backends of this module."""
    return [WandbBackend]

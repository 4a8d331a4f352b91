"""Runcast's own registries: each knows one tracker's model versions. TensorBoard has none."""

from __future__ import annotations

from runcast.plugins.hookspecs import hookimpl
from runcast.plugins.registry import Registry


@hookimpl
def runcast_registries() -> list[type[Registry]]:
    """Every registry that comes with runcast."""
    # Here, so that one of them can be imported without the others and what they need.
    from runcast.registries.local import LocalRegistry
    from runcast.registries.mlflow import MlflowRegistry
    from runcast.registries.wandb import WandbRegistry

    return [LocalRegistry, MlflowRegistry, WandbRegistry]

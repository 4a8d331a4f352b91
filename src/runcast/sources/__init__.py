"""Runcast's own sources: each reads one tracker's runs back as records."""

from __future__ import annotations

from runcast.plugins.hookspecs import hookimpl
from runcast.plugins.source import Source


@hookimpl
def runcast_sources() -> list[type[Source]]:
    """Every source that comes with runcast."""
    # Here, so that one of them can be imported without the others and what they need.
    from runcast.sources.local import LocalSource
    from runcast.sources.mlflow import MlflowSource
    from runcast.sources.tensorboard import TensorBoardSource
    from runcast.sources.wandb import WandbSource

    return [LocalSource, MlflowSource, TensorBoardSource, WandbSource]

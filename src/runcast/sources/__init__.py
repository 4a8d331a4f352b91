"""Runcast's own sources: each reads one tracker's runs back as records."""

from __future__ import annotations

from runcast.plugins.hookspecs import hookimpl
from runcast.plugins.source import Source
from runcast.sources.local import LocalSource
from runcast.sources.mlflow import MlflowSource
from runcast.sources.tensorboard import TensorBoardSource


@hookimpl
def runcast_sources() -> list[type[Source]]:
    """Every source that comes with runcast."""
    return [LocalSource, MlflowSource, TensorBoardSource]

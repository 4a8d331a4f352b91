"""MLflow as a source: runs, from its databases, servers and old folders, with their full history.

- ``source``: finds and reads runs; ``head``, ``points``, ``native``, ``models`` and ``traces`` make records.
- ``stored``: what a store holds; read from ``sql`` (through ``database``), ``folder`` or ``client``.
- ``said`` and ``overlay``: what runcast's own backend kept beside a run that it wrote.
- ``files``: content, here or far away. ``spool``: sorting. ``registry``: the model registry.
- ``patience``: how often a server is asked.
"""

from __future__ import annotations

from runcast.sources.mlflow.registry import RegisteredModel, Version
from runcast.sources.mlflow.source import MlflowSource

__all__ = ["MlflowSource", "RegisteredModel", "Version"]

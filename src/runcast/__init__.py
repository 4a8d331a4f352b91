"""runcast: one training script, every experiment tracker.

::

    import runcast

    with runcast.start("digits", params={"lr": 0.1}, backends=["mlflow", "wandb"]) as run:
        run.log({"train/loss": 0.4}, step=0)

Importing this package imports no tracker's client, no NumPy and no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runcast.errors import ConfigError, DeliveryError, Halt, Reject, Retry, RuncastError, UsageError
from runcast.run import Run
from runcast.starting import current_run, log, start

if TYPE_CHECKING:
    from runcast.artifacts import Reference
    from runcast.catalog import runs
    from runcast.media import (
        Audio,
        Calibration,
        ConfusionMatrix,
        Embedding,
        FeatureImportance,
        Figure,
        Graph,
        Histogram,
        Html,
        Image,
        Mesh,
        Object3D,
        PointCloud,
        PrCurve,
        RocCurve,
        Table,
        Text,
        Video,
    )
    from runcast.model_registry import registry
    from runcast.models import load_model
    from runcast.reproduce.scope import reproducible
    from runcast.seeds import seed_everything
    from runcast.selector import select

__version__ = "0.1.0"

__all__ = [
    "Audio",
    "Calibration",
    "ConfigError",
    "ConfusionMatrix",
    "DeliveryError",
    "Embedding",
    "FeatureImportance",
    "Figure",
    "Graph",
    "Halt",
    "Histogram",
    "Html",
    "Image",
    "Mesh",
    "Object3D",
    "PointCloud",
    "PrCurve",
    "Reference",
    "Reject",
    "Retry",
    "RocCurve",
    "Run",
    "RuncastError",
    "Table",
    "Text",
    "UsageError",
    "Video",
    "__version__",
    "current_run",
    "load_model",
    "log",
    "registry",
    "reproducible",
    "runs",
    "seed_everything",
    "select",
    "start",
]


_LAZY = {
    "Reference": "runcast.artifacts",
    "reproducible": "runcast.reproduce.scope",
    "load_model": "runcast.models",
    "registry": "runcast.model_registry",
    "runs": "runcast.catalog",
    "seed_everything": "runcast.seeds",
    "select": "runcast.selector",
}
"""Name → its module, loaded when it is asked for; every other name is one of the media values."""


def __getattr__(name: str) -> Any:
    """Load what a script may never need when it is asked for."""
    if name in __all__:
        return getattr(import_module(_LAZY.get(name, "runcast.media")), name)
    raise AttributeError(f"module 'runcast' has no attribute {name!r}")

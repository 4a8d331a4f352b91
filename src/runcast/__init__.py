"""runcast: one training script, every experiment tracker.

::

    import runcast

    with runcast.start("digits", params={"lr": 0.1}, backends=["mlflow", "wandb"]) as run:
        run.log({"train/loss": 0.4}, step=0)

Importing this package imports no tracker's client, no NumPy and no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcast.artifacts import Reference
from runcast.errors import ConfigError, DeliveryError, Halt, Reject, Retry, RuncastError, UsageError
from runcast.media import Text
from runcast.run import Run
from runcast.starting import current_run, log, start

if TYPE_CHECKING:
    from runcast.catalog import runs
    from runcast.models import load_model

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "DeliveryError",
    "Halt",
    "Reference",
    "Reject",
    "Retry",
    "Run",
    "RuncastError",
    "Text",
    "UsageError",
    "__version__",
    "current_run",
    "load_model",
    "log",
    "runs",
    "start",
]


def __getattr__(name: str) -> Any:
    """Load what only readers need when it is asked for."""
    if name == "runs":
        from runcast.catalog import runs

        return runs
    if name == "load_model":
        from runcast.models import load_model

        return load_model
    raise AttributeError(f"module 'runcast' has no attribute {name!r}")

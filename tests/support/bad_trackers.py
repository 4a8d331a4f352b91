"""More trackers for tests: MLflow whose worker has little time, and a second fake one."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from fake_tracker import FakeTracker

from runcast.backends.mlflow import MlflowBackend
from runcast.plugins import Backend, hookimpl


class Impatient(MlflowBackend):
    """MLflow, but a call that takes longer than eight seconds costs its process."""

    name = "impatient"
    deadline: ClassVar[float] = 8.0

    def __init__(self, options: Any) -> None:
        importlib.import_module("mlflow")  # which alone may take that long; here it counts as loading
        super().__init__(options)


class Other(FakeTracker):
    """A fake tracker with a control file of its own."""

    name = "other"


@hookimpl
def runcast_backends() -> list[type[Backend]]:
    """Both."""
    return [Impatient, Other]

"""More trackers for tests: MLflow whose worker has little time, and a second fake one."""

from __future__ import annotations

from typing import ClassVar

from fake_tracker import FakeTracker

from runcast.backends.mlflow import MlflowBackend
from runcast.plugins import Backend, hookimpl


class Impatient(MlflowBackend):
    """MLflow, but a call that takes longer than three seconds costs its process."""

    name = "impatient"
    deadline: ClassVar[float] = 3.0


class Other(FakeTracker):
    """A fake tracker with a control file of its own."""

    name = "other"


@hookimpl
def runcast_backends() -> list[type[Backend]]:
    """Both."""
    return [Impatient, Other]

"""MLflow: SQLite, PostgreSQL and HTTP servers, through the public ``mlflow.MlflowClient`` alone.

- `backend`: the class; what one ``open`` and one ``deliver`` do.
- `plan`: a batch of records as what MLflow has slots for; `points`: the metrics among them.
- `sender`: full ``log_batch`` calls, and the cursor that tells after a crash what MLflow has.
- `system`, `summaries`: samples of the machine as points, and what people want to see of a metric.
- `uploads`: records that go up in calls of their own: `media` (with `images`, `forms`),
  `artifacts`, `models` (with `mlmodel`), `inputs`, `environment`, `traces`.
- `files`, `residual`: what goes into the run's artifacts, among it what no slot can hold.
- `runs`, `client`, `uris`, `errors`, `diagnose`: finding the run, talking to the store, its failures;
  `manners`: leaving a busy server alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from runcast.backends.mlflow.backend import MlflowBackend, MlflowOptions
from runcast.plugins import Backend, hookimpl

__all__ = ["MlflowBackend", "MlflowOptions", "runcast_backends"]


@hookimpl
def runcast_backends() -> Sequence[type[Backend]]:
    """The one backend of this module."""
    return [MlflowBackend]

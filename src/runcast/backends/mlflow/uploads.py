"""Records that go up in calls of their own, before a plan's params, tags and metrics."""

from __future__ import annotations

from typing import Any

from runcast.backends.mlflow import artifacts, environment, inputs
from runcast.backends.mlflow.files import Files
from runcast.backends.mlflow.links import Links
from runcast.backends.mlflow.media import MediaFiles
from runcast.backends.mlflow.models import Models
from runcast.backends.mlflow.plan import Plan
from runcast.backends.mlflow.residual import Residual
from runcast.backends.mlflow.traces import Traces
from runcast.backends.mlflow.uris import Store
from runcast.records import Artifact, Environment, Input, Media, Model


class Uploads:
    """Uploads of one run."""

    def __init__(
        self, client: Any, store: Store, experiment: str, run_id: str, files: Files, residual: Residual
    ) -> None:
        """
        Args:
            client: an ``mlflow.MlflowClient``.
            store: whose client it is.
            experiment, run_id: MLflow's ids.
            files: the run's artifacts.
            residual: what earlier batches left there.
        """
        self._client, self._run_id, self._files = client, run_id, files
        self._media = MediaFiles(files, residual, run_id)
        self._models = Models(client, store, experiment, run_id, files)
        self._links = Links(client)
        self._traces = Traces(store, experiment, run_id, self._links)

    def upload(self, plan: Plan) -> None:
        """Everything that the plan wants uploaded, in order.

        Raises:
            Reject: a record's content is missing or not what it should be.
        """
        for record in plan.uploads:
            if isinstance(record, Media):
                self._media.upload(plan, record)
            elif isinstance(record, Artifact):
                artifacts.upload(self._files, plan, record, self._run_id)
            elif isinstance(record, Model):
                self._models.upload(plan, record)
            elif isinstance(record, Input):
                inputs.log(self._client, self._run_id, plan, record, self._links)
            elif isinstance(record, Environment):
                environment.upload(self._files, plan, record)
            else:
                self._traces.log(plan, record)
        for path, text in plan.texts.items():
            self._files.put(path, text.encode("utf-8", "surrogatepass"))

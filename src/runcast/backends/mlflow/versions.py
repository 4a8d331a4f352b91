"""Versions in MLflow's registry, made through the client's own store and no other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcast.backends.mlflow.uris import parse


def created(client: Any, name: str, model: Any, run_id: str | None, tags: Mapping[str, str]) -> Any:
    """A new version of a registered model, from a logged model that is ready.

    Args:
        client: an ``mlflow.MlflowClient``.
        model: MLflow's ``LoggedModel``.
        run_id: MLflow's id of the run that made it.
    """
    return client.create_model_version(
        name,
        source=source(client, model),
        run_id=run_id,
        tags=dict(tags),
        await_creation_for=0,
        model_id=model.model_id if _is_served(client) else None,
    )


def source(client: Any, model: Any) -> str:
    """What a version of the model says of its source: ``models:/ID``, or where the files are.

    On a database, MLflow 3 looks up ``models:/ID``, and a ``model_id`` without a run, in the store that its
    global settings name, whatever the client's is; and the settings of a process are not ours to change.
    """
    return f"models:/{model.model_id}" if _is_served(client) else str(model.artifact_location)


def _is_served(client: Any) -> bool:
    return parse(client.tracking_uri, Path).kind not in ("sqlite", "sql")

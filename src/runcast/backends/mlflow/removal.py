"""Taking a run out of MLflow: into its trash, which is as far as its client goes."""

from __future__ import annotations

from typing import Any

from runcast.backends.mlflow.client import pages
from runcast.backends.mlflow.runs import RUN_ID

REMOVED = "runcast.removed"
"""Tag of a run in the trash that was this run: without `RUN_ID` it is not found when the run comes again."""
STAYS = (
    "the run is in MLflow's trash until `mlflow gc` deletes it; its experiment, and the names of registered "
    "models, stay"
)


def remove(client: Any, run_id: str) -> str:
    """Delete what belongs to the run, then the run itself; what is gone already is fine.

    Args:
        client: an ``mlflow.MlflowClient``.
        run_id: MLflow's.

    Returns:
        What stays, in words.
    """
    try:
        run = client.get_run(run_id)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise
        return ""
    if run.info.lifecycle_stage != "active":
        return STAYS
    experiment = str(run.info.experiment_id)
    # Lists: what a page held is gone before the next one would be asked for.
    for version in list(pages(lambda token: _versions(client, run_id, token))):
        client.delete_model_version(version.name, version.version)
    for model in list(pages(lambda token: _models(client, experiment, run_id, token))):
        client.delete_logged_model(model.model_id)
    _remove_traces(client, experiment, run_id)
    known = run.data.tags.get(RUN_ID)
    if known is not None:
        client.set_tag(run_id, REMOVED, known)
        client.delete_tag(run_id, RUN_ID)
    client.delete_run(run_id)
    return STAYS


def _remove_traces(client: Any, experiment: str, run_id: str) -> None:
    # Searched anew each time: what a page held is gone before the next one is asked for.
    while traces := client.search_traces(
        locations=[experiment], run_id=run_id, include_spans=False, max_results=100
    ):
        ids = [trace.info.trace_id for trace in traces]
        if not client.delete_traces(experiment, trace_ids=ids):
            return


def _versions(client: Any, run_id: str, token: str | None) -> Any:
    return client.search_model_versions(f"run_id = '{run_id}'", page_token=token)


def _models(client: Any, experiment: str, run_id: str, token: str | None) -> Any:
    where = f"source_run_id = '{run_id}'"
    return client.search_logged_models([experiment], filter_string=where, page_token=token)

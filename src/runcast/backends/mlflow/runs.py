"""Finding this run and its experiment in MLflow, or creating each of them once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runcast.backends.mlflow import names
from runcast.backends.mlflow.uris import Store
from runcast.errors import Halt
from runcast.plugins import OpenRun

RUN_ID = "runcast.run_id"
_ALL = 3
"""``mlflow.entities.ViewType.ALL``: deleted ones too."""


def experiment_id(client: Any, store: Store, run: OpenRun, location: str | None) -> str:
    """The id of the run's experiment, created where there is none.

    Args:
        client: an ``mlflow.MlflowClient``.
        store: whose experiment it is; decides where files go by default.
        run: gives the name.
        location: URI or path for the files of a new experiment, from the options.

    Raises:
        Halt: an experiment of that name is in MLflow's trash.
    """
    name = names.experiment(run.started.experiment)
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=_location(store, run, location)))
        except Exception as error:
            # Somebody was faster, or the response to our own request was lost.
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        number = found.experiment_id
        raise Halt(
            f"the experiment {name!r} is deleted in MLflow: restore it with `mlflow experiments restore "
            f"--experiment-id {number}`, or name another experiment"
        )
    return str(found.experiment_id)


def _location(store: Store, run: OpenRun, location: str | None) -> str | None:
    if location is not None:
        return location if "://" in location or location.startswith("file:") else str(run.resolve(location))
    # MLflow's own default is relative to whatever folder the process runs in.
    if store.database is not None:
        root = _free(store.database.parent / "mlruns")
    elif store.kind == "sql":
        root = _free(run.resolve("mlruns"))
    else:
        return None
    room = names.LOCATION_LIMIT - len(str(root)) - 1
    return str(root / names.file_name(run.started.experiment, min(max(room, 32), 100)))


def _free(root: Path) -> Path:
    """The folder; another beside it where it is MLflow's old file store, which may be thrown away one day."""
    return root.with_name("mlartifacts") if any(root.glob("*/meta.yaml")) else root


def find(client: Any, experiment: str, run: OpenRun) -> Any | None:
    """The MLflow run that holds this run, or None.

    Raises:
        Halt: it was deleted.
    """
    known = run.state.get("run_id")
    if known is not None:
        return active(_get(client, str(known)))
    quote = '"' if "'" in run.id else "'"
    found = client.search_runs(
        [experiment],
        filter_string=f"tags.`{RUN_ID}` = {quote}{run.id}{quote}",
        run_view_type=_ALL,
        max_results=10,
        order_by=["attributes.start_time ASC"],
    )
    if not found:
        return None
    # The search's answer may lag behind and lacks long tags on some stores.
    alive = [hit for hit in found if hit.info.lifecycle_stage == "active"]
    return active(_get(client, (alive or found)[0].info.run_id))


def _get(client: Any, run_id: str) -> Any:
    try:
        return client.get_run(run_id)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise Halt(
            f"the run {run_id} is gone from MLflow: restore the database it was in, or start a new run"
        ) from None


def active(run: Any) -> Any:
    """`run`, unless it lies in MLflow's trash.

    Raises:
        Halt: it does.
    """
    if run.info.lifecycle_stage != "active":
        raise Halt(
            f"the run {run.info.run_id} is deleted in MLflow: restore it with `mlflow runs restore "
            f"--run-id {run.info.run_id}`"
        )
    return run


def create(client: Any, experiment: str, run: OpenRun) -> Any:
    """A new MLflow run. Call `find` first: a response that got lost may have left one."""
    started = run.started
    tags = {
        RUN_ID: run.id,
        "runcast.start_ns": str(started.time),
        "mlflow.runName": names.run_name(started.name),
        "mlflow.user": line(started.user),
        "mlflow.parentRunId": run.parent.id if run.parent else None,
        "runcast.parent": started.parent,
        "runcast.group": line(started.group),
        "runcast.job_type": line(started.job_type),
        "runcast.host": line(started.host),
    }
    # MLflow takes a start of 0 for none and puts in its own clock.
    milliseconds = started.time // 1_000_000 or 1
    given = {name: value for name, value in tags.items() if value is not None}
    return client.create_run(experiment, start_time=milliseconds, tags=given)


def line(text: str | None) -> str | None:
    """A text as a tag that runcast keeps of a run; None where there is none."""
    return names.run_name(text) if text else None

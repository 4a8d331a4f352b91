"""Removing a run: its folder here, and where it was uploaded, the run on the server."""

from __future__ import annotations

import shutil
from pathlib import Path

from runcast.backends.wandb import probe
from runcast.backends.wandb.options import WandbOptions
from runcast.errors import Halt

BLOCKED = "W&B refuses the ids of deleted runs for about a week: until then the same runs cannot come again"
_FIND = (
    "query Run($entity: String!, $project: String!, $run: String!) { project(name: $project, "
    "entityName: $entity) { run(name: $run) { id } } }"
)
_DELETE = (
    "mutation DeleteRun($id: ID!) { deleteRun(input: {id: $id, deleteArtifacts: true}) { clientMutationId } }"
)


def remove_folder(folder: Path, run: str) -> None:
    """Remove a run's folder; one that is gone is fine.

    Args:
        folder: ``wandb/offline-run-<start>-<run>``.
        run: W&B's id of the run.
    """
    if folder.name.startswith("offline-run-") and folder.name.endswith(f"-{run}") and folder.is_dir():
        shutil.rmtree(folder)


def remove_online(options: WandbOptions, entity: str, project: str, run: str) -> str:
    """Delete a run on the server with the artifacts that it made; one that is gone is fine.

    Returns:
        What to know afterwards, in words.

    Raises:
        Halt, Retry: the server says no, or does not answer.
    """
    names = {"entity": entity, "project": project, "run": run}
    try:
        found = probe.query(options.base_url, _FIND, names).get("project") or {}
        storage = (found.get("run") or {}).get("id")
        if storage is None:
            return ""
        probe.query(options.base_url, _DELETE, {"id": storage})
    except probe.Refused as error:
        raise Halt(f"wandb: {entity}/{project}/{run} cannot be deleted: {error}") from None
    return BLOCKED

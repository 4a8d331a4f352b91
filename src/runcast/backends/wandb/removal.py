"""Removing a run: its folder here, and where it was uploaded, the run on the server."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from runcast.backends.wandb import probe
from runcast.backends.wandb.options import WandbOptions
from runcast.errors import Halt

BLOCKED = "W&B refuses the ids of deleted runs for about a week: until then the same runs cannot come again"
_FIND = (
    "query Run($entity: String!, $project: String!, $run: String!) { project(name: $project, "
    "entityName: $entity) { run(name: $run) { id } } }"
)
_DELETE = """mutation DeleteRun($id: ID!) {
 deleteRun(input: {id: $id, deleteArtifacts: false}) { clientMutationId } }"""
_MADE = """query Made($entity: String!, $project: String!, $run: String!, $after: String) {
 project(name: $project, entityName: $entity) { run(name: $run) { outputArtifacts(first: 100, after: $after) {
 pageInfo { hasNextPage endCursor } edges { node { id createdBy { __typename ... on Run { name } }
 artifactSequence { id name } } } } } } }"""
_DELETE_ARTIFACT = """mutation DeleteArtifact($input: DeleteArtifactInput!) {
 deleteArtifact(input: $input) { artifact { id } } }"""
_LEFT = """query Left($entity: String!, $project: String!, $name: String!) {
 project(name: $project, entityName: $entity) { artifactCollection(name: $name) { __typename id description
 tags { edges { node { id } } } artifacts(first: 1) { edges { node { id } } } } } }"""
_DELETE_COLLECTION = """mutation DeleteArtifactSequence($id: ID!) {
 deleteArtifactSequence(input: {artifactSequenceID: $id}) { artifactCollection { state } } }"""


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

    Artifacts that it shares with the run that made them stay. A collection in which nothing is left goes with
    its last version, unless somebody has described it.

    Returns:
        What to know afterwards, in words.

    Raises:
        Halt, Retry: the server says no, or does not answer.
    """
    url, names = options.base_url, {"entity": entity, "project": project, "run": run}
    try:
        found = probe.query(url, _FIND, names).get("project") or {}
        storage = (found.get("run") or {}).get("id")
        if storage is None:
            return ""
        collections = _remove_artifacts(url, names)
        probe.query(url, _DELETE, {"id": storage})
        for name in collections:
            _remove_empty(url, {"entity": entity, "project": project, "name": name})
    except probe.Refused as error:
        raise Halt(f"wandb: {entity}/{project}/{run} cannot be deleted: {error}") from None
    return BLOCKED


def _remove_artifacts(url: str, names: dict[str, str]) -> list[str]:
    """Delete the versions that a run created; gives the names of their collections."""
    made: list[dict[str, Any]] = []
    after = None
    while True:
        page = probe.query(url, _MADE, {**names, "after": after})["project"]["run"]["outputArtifacts"]
        made += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    own = [one for one in made if (one.get("createdBy") or {}).get("name") == names["run"]]
    for one in own:
        probe.query(url, _DELETE_ARTIFACT, {"input": {"artifactID": one["id"], "deleteAliases": True}})
    return list(dict.fromkeys(one["artifactSequence"]["name"] for one in own))


def _remove_empty(url: str, names: dict[str, str]) -> None:
    found = (probe.query(url, _LEFT, names).get("project") or {}).get("artifactCollection")
    if not found or found["__typename"] != "ArtifactSequence" or found.get("description"):
        return
    if found["artifacts"]["edges"] or found["tags"]["edges"]:
        return
    with contextlib.suppress(probe.Refused):  # somebody was faster, or may not: an empty name harms nobody
        probe.query(url, _DELETE_COLLECTION, {"id": found["id"]})

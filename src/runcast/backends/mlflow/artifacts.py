"""Artifacts: folders of files, with an index of what MLflow has no slot for.

An artifact's files stand at ``<name>/<path>``. A second content under the same name stands at
``<name>@v2/<path>``, and so on; ``runcast/artifacts/<name>.json`` lists the versions with digest, type,
description, aliases, metadata, every file's sha256, and the references: files that stay where they are.
"""

from __future__ import annotations

import json

import msgspec

from runcast.backends.mlflow import names
from runcast.backends.mlflow.files import Files
from runcast.backends.mlflow.plan import Plan
from runcast.backends.mlflow.residual import line
from runcast.codec import pack
from runcast.receipts import Made, former_id
from runcast.records import Artifact, FileRef


def upload(files: Files, plan: Plan, record: Artifact, run_id: str) -> None:
    """Upload every file of an artifact, then its index.

    Raises:
        Reject: a file's path would leave the artifact, or its content is missing.
    """
    what = f"artifact {record.name!r}"
    stored = [file for file in record.files if not file.uri]
    targets = [(file, files.content(what, file), _inner(plan, record, file)) for file in stored]
    native = names.artifact_name(record.name)
    plan.rename(record.name, native)
    index = f"runcast/artifacts/{names.file_name(native)}.json"
    versions = json.loads(files.read_index(index) or b"[]")
    digests = [version["digest"] for version in versions]
    number = digests.index(record.digest) if record.digest in digests else len(versions)
    root = native if number == 0 else f"{native}@v{number + 1}"
    _report(plan, record, number, root, index)
    for _, source, inner in targets:
        files.put(f"{root}/{inner}", source)
    entry = {
        "name": record.name,
        "type": record.type,
        "digest": record.digest,
        "path": root,
        "time": record.time,
        "description": record.description,
        "aliases": record.aliases,
        "metadata": pack(record.metadata),
        "files": [
            {"path": file.path, "as": inner, "sha256": file.sha256, "size": file.size}
            for file, _, inner in targets
        ],
        "references": [
            {"path": file.path, "uri": file.uri, "sha256": file.sha256, "size": file.size}
            for file in record.files
            if file.uri
        ],
    }
    versions[number:] = [entry, *versions[number + 1 :]]
    files.write_index(index, json.dumps(versions, ensure_ascii=True, indent=1).encode())
    places = {file.path: f"{root}/{inner}" for file, _, inner in targets}
    refs = [{**msgspec.structs.asdict(file), "as": places.get(file.path, "")} for file in record.files]
    plan.made.append(
        Made(
            what="artifact",
            key=record.name,
            id=f"runs:/{run_id}/{root}",
            source=former_id(record.origin),
        )
    )
    fields = ("name", "type", "time", "digest", "aliases", "metadata", "description", "origin")
    said = {field: getattr(record, field) for field in fields}
    plan.lines.append(line(kind="artifact", **said, place=root, files=refs))


def _report(plan: Plan, record: Artifact, number: int, root: str, index: str) -> None:
    lesser = []
    if number:
        lesser.append(f"MLflow has no versions: version {number + 1} is the folder {root}")
    if record.aliases or record.metadata or record.description:
        lesser.append(f"MLflow has no aliases, metadata and descriptions of artifacts: they are in {index}")
    if any(file.uri for file in record.files):
        lesser.append(f"MLflow has no references: they are listed in {index}")
    if lesser:
        plan.change("degraded", record.name, "; ".join(lesser))


def _inner(plan: Plan, record: Artifact, file: FileRef) -> str:
    native = names.artifact_path(file.path)
    if native != file.path:
        plan.change("renamed", f"{record.name}/{file.path}", f"{record.name}/{native}")
    return native

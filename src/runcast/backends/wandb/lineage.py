"""What a run used, as W&B's input artifacts; and models, as artifacts that a registry can link to.

An artifact record that says "use" makes W&B's client declare it as an input, once it is there. A version
with the same name, type and content as one that the server has is that very version: so an artifact of
another run is found again by what it holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runcast.backends.wandb import artifacts, spelling
from runcast.backends.wandb.runfiles import store
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import Input, Model

LONGEST_EXAMPLE = 10_000
"""Bytes of JSON above which a model's example is a file of the run."""
_Made = tuple[wandb_log.Artifact, list[Change]]


def used(record: Input, run: OpenRun, where: wandb_log.Run) -> _Made:
    """The log's record of an input.

    Data that is neither a file nor a URI, or whose files the journal does not have, stands as a file
    ``runcast/input.json`` that describes it.

    Raises:
        Reject, OSError: as `artifacts.entry`.
    """
    facts = {"digest": record.digest, "version": record.version, "source": record.source}
    metadata = {**{k: v for k, v in facts.items() if v}, **record.metadata}
    changes: list[Change] = []
    if record.files and all(file.uri or run.blob(file).is_file() for file in record.files):
        files = artifacts.manifest(record, run)
    elif record.source and urlsplit(record.source).scheme:
        name = record.source.rstrip("/").rpartition("/")[2] or record.name
        files = [artifacts.reference(name, record.source, record.digest)]
    else:
        files = [_file(run, "runcast/input.json", {"name": record.name, "type": record.type, **metadata})]
        detail = "its content is not in W&B: the artifact holds a description, runcast/input.json"
        changes.append(Change(what="degraded", key=record.name, detail=detail))
    made, renamed = artifacts.build(record, record.type, files, where, [], metadata)
    return made, changes + renamed


def model(record: Model, run: OpenRun, where: wandb_log.Run, keep: Callable[[str, bytes], None]) -> _Made:
    """The log's record of a model: an artifact of type ``model`` with what loads it in the metadata.

    Its files are the record's and no others, so that a run that uses the model finds this version again.

    Args:
        record: the model.
        run: the run, with its blobs.
        where: the run as W&B knows it.
        keep: puts a file below ``files/``, for an example too long for metadata.

    Raises:
        Reject, OSError: as `artifacts.entry`.
    """
    facts: dict[str, Any] = {
        "flavor": record.flavor, "signature": record.signature, "requirements": record.requirements,
        "step": record.step, "data": record.data,
    }  # fmt: skip
    path = ""
    if record.example is not None:
        text = json.dumps(spelling.setting(record.example)[0]).encode()
        path = (
            f"runcast/models/{hashlib.sha256(text).hexdigest()}.json" if len(text) > LONGEST_EXAMPLE else ""
        )
        facts["example"] = f"files/{path}" if path else record.example
        if path:
            keep(path, text)
    facts = {name: value for name, value in facts.items() if value not in (None, [], {})}
    own = {(f"metadata/{k}" if k in facts else k): v for k, v in record.metadata.items()}
    aliases = [*map(spelling.alias, record.aliases), "latest"]
    files = artifacts.manifest(record, run)
    made, changes = artifacts.build(record, "model", files, where, aliases, {**own, **facts})
    if path:
        changes.append(Change(what="spilled", key=record.name, detail=f"its example: files/{path}"))
    return made, changes


def _file(run: OpenRun, path: str, content: Any) -> wandb_log.ManifestEntry:
    text = json.dumps(spelling.setting(content)[0], sort_keys=True, indent=1).encode()
    folder = Path(run.state["folder"]) / "artifacts"
    local = folder / f"{hashlib.sha256(text).hexdigest()}.json"
    store(local, text)
    return artifacts.stored(local, path)

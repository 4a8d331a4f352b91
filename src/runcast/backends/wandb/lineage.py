"""What a run used, as W&B's input artifacts; and models, as artifacts that a registry can link to.

An artifact record that says "use" makes W&B's client declare it as an input, once it is there. A version
with the same name, type and content as one that the server has is that very version: so an artifact of
another run is found again by what it holds.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runcast.backends.wandb import artifacts, spelling
from runcast.backends.wandb.runfiles import store
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import Input, Model

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


def model(record: Model, run: OpenRun, where: wandb_log.Run) -> _Made:
    """The log's record of a model: an artifact of type ``model`` with what loads it in the metadata.

    Raises:
        Reject, OSError: as `artifacts.entry`.
    """
    facts: dict[str, Any] = {
        "flavor": record.flavor, "signature": record.signature, "requirements": record.requirements,
        "step": record.step, "data": record.data,
    }  # fmt: skip
    facts = {name: value for name, value in facts.items() if value not in (None, [], {})}
    own = {(f"metadata/{k}" if k in facts else k): v for k, v in record.metadata.items()}
    files = artifacts.manifest(record, run)
    if record.example is not None:
        files.append(_file(run, "runcast/input_example.json", record.example))
    aliases = [*map(spelling.alias, record.aliases), "latest"]
    return artifacts.build(record, "model", files, where, aliases, {**own, **facts})


def _file(run: OpenRun, path: str, content: Any) -> wandb_log.ManifestEntry:
    text = json.dumps(spelling.setting(content)[0], sort_keys=True, indent=1).encode()
    folder = Path(run.state["folder"]) / "artifacts"
    local = folder / f"{hashlib.sha256(text).hexdigest()}.json"
    store(local, text)
    return artifacts.stored(local, path)

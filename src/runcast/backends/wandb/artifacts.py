"""An artifact as W&B's client writes it down offline: a manifest that points at files on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from runcast.backends.wandb import spelling
from runcast.errors import Reject
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import Artifact

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


def entry(record: Artifact, run: OpenRun, where: wandb_log.Run) -> tuple[wandb_log.Artifact, list[Change]]:
    """The log's record of an artifact; its files stay where they are, in runcast's blobs.

    The ids, random in W&B's client, come from the record's identity, so that it is one version however
    often it is written.

    Raises:
        Reject: a file's digest is none.
        OSError: a file of the artifact cannot be read.
    """
    name, kind = spelling.artifact(record.name), _type(record.type)
    metadata, changed = spelling.setting(record.metadata)
    changes = [
        Change(what="renamed", key=said, detail=f"{legal} ({slot})")
        for slot, said, legal in (("artifact", record.name, name), ("artifact type", record.type, kind))
        if said != legal
    ]
    if changed:
        changes.append(
            Change(what="degraded", key=record.name, detail="metadata W&B cannot hold became text")
        )
    for file in record.files:
        # It comes from the journal: one that is a path would lead to any file of this user.
        if not _SHA256.fullmatch(file.sha256):
            raise Reject(f"wandb: artifact {record.name!r}: {file.path!r} has no sha256: log it again")
    files = [_file(run.blob(f), f.path, f.size) for f in sorted(record.files, key=lambda f: f.path)]
    identity = f"{where.run_id}/{record.writer}/{record.seq}/{record.name}/{record.digest}"
    made = wandb_log.Artifact(
        run_id=where.run_id,
        project=where.project,
        entity=where.entity,
        type=kind,
        name=name,
        digest=_digest(files),
        metadata=json.dumps(metadata),
        aliases=list(dict.fromkeys([*map(spelling.alias, record.aliases), "latest"])),
        entries=files,
        client_id=_id(identity),
        sequence_client_id=_id(f"{where.entity}/{where.project}/{name}"),
    )
    return made, changes


def _type(name: str) -> str:
    legal = spelling.alias(name)
    # W&B keeps these for itself: its client refuses them.
    return f"runcast-{legal}" if legal == "job" or legal.startswith("wandb-") else legal


def _file(blob: Path, path: str, size: int) -> wandb_log.ManifestEntry:
    md5 = hashlib.md5(usedforsecurity=False)
    with blob.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            md5.update(chunk)
    digest = base64.b64encode(md5.digest()).decode()
    return wandb_log.ManifestEntry(
        path=spelling.prose(path), digest=digest, size=size, local_path=str(blob.resolve())
    )


def _digest(files: list[wandb_log.ManifestEntry]) -> str:
    lines = [f"{file.path}:{file.digest}\n" for file in files]
    text = "wandb-artifact-manifest-v1\n" + "".join(lines)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _id(identity: str) -> str:
    return hashlib.sha512(identity.encode("utf-8", "surrogatepass")).hexdigest()

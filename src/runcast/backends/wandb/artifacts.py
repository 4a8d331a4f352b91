"""Artifacts as W&B's client writes them down offline: a manifest that points at files on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from runcast.backends.wandb import spelling
from runcast.errors import Reject
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import Artifact, FileRef, Input, Model

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
    aliases = [*map(spelling.alias, record.aliases), "latest"]
    files = manifest(record, run)
    made, changes = build(record, record.type, files, where, aliases, record.metadata)
    return msgspec.structs.replace(made, description=spelling.prose(record.description)), changes


def build(
    record: Artifact | Model | Input,
    said_type: str,
    files: list[wandb_log.ManifestEntry],
    where: wandb_log.Run,
    aliases: Iterable[str],
    metadata: dict[str, Any],
) -> tuple[wandb_log.Artifact, list[Change]]:
    """The log's record of anything that W&B holds as an artifact, and what W&B got in another form."""
    name, kind = spelling.artifact(record.name), legal_type(said_type)
    legal_metadata, changed = spelling.setting(metadata)
    changes = [
        Change(what="renamed", key=said, detail=f"{legal} ({slot})")
        for slot, said, legal in (("artifact", record.name, name), ("artifact type", said_type, kind))
        if said != legal
    ]
    if changed:
        changes.append(
            Change(what="degraded", key=record.name, detail="metadata W&B cannot hold became text")
        )
    made = wandb_log.Artifact(
        run_id=where.run_id,
        project=where.project,
        entity=where.entity,
        type=kind,
        name=name,
        digest=_digest(files),
        metadata=json.dumps(legal_metadata),
        aliases=list(dict.fromkeys(aliases)),
        entries=files,
        client_id=client_id(record, where),
        sequence_client_id=_id(f"{where.entity}/{where.project}/{name}"),
        use=isinstance(record, Input),
    )
    return made, changes


def client_id(record: Artifact | Model | Input, where: wandb_log.Run) -> str:
    """W&B's client's own id of what a record logs or uses."""
    return _id(f"{where.run_id}/{record.writer}/{record.seq}/{record.name}/{record.digest}")


def generated(
    where: wandb_log.Run, name: str, kind: str, path: str, local: Path, identity: str
) -> wandb_log.Artifact:
    """An artifact of one file that the backend made for W&B's own purposes."""
    name = spelling.artifact(name)
    files = [stored(local, path)]
    return wandb_log.Artifact(
        run_id=where.run_id, project=where.project, entity=where.entity, type=kind, name=name,
        digest=_digest(files), aliases=["latest"], entries=files, client_id=_id(identity),
        sequence_client_id=_id(f"{where.entity}/{where.project}/{name}"),
    )  # fmt: skip


def manifest(record: Artifact | Model | Input, run: OpenRun) -> list[wandb_log.ManifestEntry]:
    """The files of a record, by path; a reference stays one, its digest is the content's where it is known.

    Raises:
        Reject, OSError: as `entry`.
    """
    return [_file(record, file, run) for file in sorted(record.files, key=lambda file: file.path)]


def reference(path: str, uri: str, digest: str = "", size: int = 0) -> wandb_log.ManifestEntry:
    """A content that stays at a URI."""
    uri = spelling.prose(uri)
    return wandb_log.ManifestEntry(
        path=spelling.prose(path), digest=spelling.prose(digest) or uri, ref=uri, size=size
    )


def stored(local: Path, path: str) -> wandb_log.ManifestEntry:
    """A file on this machine; read once, for its md5."""
    md5, size = hashlib.md5(usedforsecurity=False), 0
    with local.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            md5.update(chunk)
            size += len(chunk)
    digest = base64.b64encode(md5.digest()).decode()
    return wandb_log.ManifestEntry(
        path=spelling.prose(path), digest=digest, size=size, local_path=str(local.resolve())
    )


def _file(record: Artifact | Model | Input, file: FileRef, run: OpenRun) -> wandb_log.ManifestEntry:
    if file.uri:
        return reference(file.path, file.uri, file.sha256, file.size)
    # It comes from the journal: one that is a path would lead to any file of this user.
    if not _SHA256.fullmatch(file.sha256):
        raise Reject(f"wandb: artifact {record.name!r}: {file.path!r} has no sha256: log it again")
    return stored(run.blob(file), file.path)


def legal_type(name: str) -> str:
    """The type of an artifact, as W&B takes it."""
    legal = spelling.alias(name)
    # W&B keeps these for itself: its client refuses them.
    return f"runcast-{legal}" if legal == "job" or legal.startswith("wandb-") else legal


def _digest(files: list[wandb_log.ManifestEntry]) -> str:
    lines = [f"{file.path}:{file.digest}\n" for file in sorted(files, key=lambda file: file.path)]
    text = "wandb-artifact-manifest-v1\n" + "".join(lines)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _id(identity: str) -> str:
    return hashlib.sha512(identity.encode("utf-8", "surrogatepass")).hexdigest()

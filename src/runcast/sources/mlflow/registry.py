"""MLflow's model registry as plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from runcast.backends.mlflow.uris import mask
from runcast.catalog.values import json_out
from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.plugins import registry
from runcast.records import FileRef
from runcast.registries.mlflow.registry import EVENT, FACTS
from runcast.registries.mlflow.upload import IDENTITY

if TYPE_CHECKING:
    from runcast.sources.mlflow.files import Files
    from runcast.sources.mlflow.stored import Reader

_OWN = "runcast."
_STEPS = 8
"""Versions that a version's source leads to before it is taken for a circle."""


class Version(msgspec.Struct, kw_only=True):
    """One version of a registered model.

    Attributes:
        version: from 1; numbers of deleted versions are never used again.
        source: URI of its files.
        run: MLflow's id of the run that made it, None where there is none.
        stage: ``None``, ``Staging``, ``Production`` or ``Archived``, as MLflow spells them.
        description: prose.
        created: ms since 1970.
        status: ``READY`` where it can be used.
        tags: labels.
    """

    version: int
    source: str
    run: str | None = None
    stage: str = "None"
    description: str = ""
    created: int = 0
    status: str = ""
    tags: dict[str, str] = {}


class RegisteredModel(msgspec.Struct, kw_only=True):
    """One registered model; `aliases` are names of versions, `created` is in ms since 1970."""

    name: str
    description: str = ""
    created: int = 0
    tags: dict[str, str] = {}
    aliases: dict[str, int] = {}
    versions: list[Version] = []


def plain(model: RegisteredModel, metrics: Callable[[str], Mapping[str, float]]) -> registry.RegisteredModel:
    """A model as every registry has it.

    Args:
        model: as MLflow has it.
        metrics: gives the last values that a run logged, by MLflow's id of it.
    """
    held: dict[int, list[str]] = {}
    for alias, number in sorted(model.aliases.items()):
        held.setdefault(number, []).append(alias)
    events = [
        registry.Event.model_validate_json(text) for key, text in model.tags.items() if key.startswith(EVENT)
    ]
    return registry.RegisteredModel(
        name=model.name,
        description=model.description,
        tags={key: text for key, text in model.tags.items() if not key.startswith(_OWN)},
        versions=[_version(model.name, v, held.get(v.version, []), metrics) for v in model.versions],
        events=sorted(events, key=lambda event: (event.order, event.id)),
    )


def _version(
    name: str, version: Version, aliases: list[str], metrics: Callable[[str], Mapping[str, float]]
) -> registry.ModelVersion:
    facts = json_out(version.tags[FACTS]) if FACTS in version.tags else {}
    known = ("by", "run", "digest", "files", "model", "origin")
    return registry.ModelVersion(
        registry="mlflow",
        name=name,
        version=version.version,
        description=version.description,
        aliases=aliases,
        tags={key: text for key, text in version.tags.items() if not key.startswith(_OWN)},
        stage="" if version.stage in ("None", "") else version.stage.lower(),
        created=facts.get("created") or version.created * 1_000_000,
        ref=version.run or "",
        metrics=facts["metrics"] if "metrics" in facts else dict(metrics(version.run or "")),
        source=mask(version.source),
        identity=version.tags.get(IDENTITY, ""),
        **{key: facts[key] for key in known if key in facts},
    )


def files(reader: Reader, version: registry.ModelVersion, blobs: Blobs) -> list[FileRef]:
    """The files of a version: those that runcast registered under their own names, else all that are there.

    Raises:
        OSError, SourceError: they cannot be reached.
    """
    found = _place(reader, version.name, version.version)
    if not (paths := found.paths()):
        raise SourceError(f"the files of {version} are gone from {version.source}")
    kept = [found.keep(path, path, blobs) for path in paths]
    if version.files:
        by_content = {ref.sha256: ref for ref in kept}
        if version.files.keys() and all(sha in by_content for sha in version.files.values()):
            return [FileRef(path, sha, by_content[sha].size) for path, sha in sorted(version.files.items())]
        raise SourceError(f"files of {version} are damaged or gone from {version.source}")
    return kept


def _place(reader: Reader, name: str, number: int) -> Files:
    """MLflow lets a version stand for another one, for a logged model, for files of a run, or for a URI."""
    models: Sequence[RegisteredModel] = list(reader.registered())
    for _ in range(_STEPS):
        found = [v for m in models if m.name == name for v in m.versions if v.version == number]
        if not found:
            raise SourceError(f"version {number} of {name} is not in the registry any more")
        source = found[0].source
        if other := re.fullmatch(r"models:/([^/]+)/(\d+)", source):
            name, number = other[1], int(other[2])
            continue
        if logged := re.fullmatch(r"models:/(m-[^/]+)", source):
            place = reader.place_of_model(logged[1])
        elif inside := re.fullmatch(r"runs:/([^/]+)/?(.*)", source):
            place = reader.place_of_run(inside[1])
            place = f"{place.rstrip('/')}/{inside[2]}" if place and inside[2] else place
        else:
            place = source
        if not place:
            raise SourceError(f"{source}, which version {number} of {name} stands for, is gone")
        return reader.files(place)
    raise SourceError(f"version {number} of {name} stands for itself")

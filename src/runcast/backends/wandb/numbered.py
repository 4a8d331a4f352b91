"""Under which names and numbers a server has the artifacts of a run, which it gives when they arrive."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote

from runcast.backends.wandb import artifacts, probe, spelling
from runcast.backends.wandb.options import WandbOptions, site
from runcast.formats import wandb_log
from runcast.receipts import Made, former_id
from runcast.records import Artifact, Model

_CHUNK = 50
_ABOUT = "{ versionIndex artifactType { name } artifactSequence { name project { name entityName } } }"


def waiting(record: Artifact | Model, where: wandb_log.Run) -> dict[str, str]:
    """What is kept of an artifact until it has a number.

    Args:
        record: as it was logged.
        where: the run as W&B knows it.
    """
    return {
        "client_id": artifacts.client_id(record, where),
        "name": record.name,
        "what": "model" if isinstance(record, Model) else "artifact",
        "source": former_id(record.origin),
    }


def offline(kept: dict[str, str]) -> Made:
    """An artifact that is in a folder: it has its name, and gets its number from whoever uploads it."""
    return _made(kept, spelling.artifact(kept["name"]), "")


def online(options: WandbOptions, kept: list[dict[str, str]]) -> list[Made]:
    """Artifacts that are uploaded, as ``entity/project/name:v3``; without those that it does not know.

    Raises:
        Halt, Retry: as of `probe.query`.
    """
    found = []
    for start in range(0, len(kept), _CHUNK):
        chunk = kept[start : start + _CHUNK]
        try:
            found += _asked(options, chunk)
        except probe.Refused:
            for one in chunk:  # it knows all but one perhaps
                with contextlib.suppress(probe.Refused):
                    found += _asked(options, [one])
    return found


def _asked(options: WandbOptions, chunk: list[dict[str, str]]) -> list[Made]:
    ids = _many(options, "clientIDMapping(clientID: $%s) { serverID }", [one["client_id"] for one in chunk])
    known = [(one, str(id_["serverID"])) for one, id_ in zip(chunk, ids, strict=True) if id_]
    answers = _many(options, f"artifact(id: $%s) {_ABOUT}", [id_ for _, id_ in known])
    found = []
    for (one, _), about in zip(known, answers, strict=True):
        if not about or about.get("versionIndex") is None:
            continue
        try:
            sequence, kind = about["artifactSequence"], about["artifactType"]["name"]
            entity, project = sequence["project"]["entityName"], sequence["project"]["name"]
        except (KeyError, TypeError):  # deleted meanwhile
            continue
        version = f"v{about['versionIndex']}"
        path = "/".join(
            quote(part, safe="") for part in (entity, project, "artifacts", kind, sequence["name"], version)
        )
        url = f"{site(options)}/{path}"
        found.append(_made(one, f"{entity}/{project}/{sequence['name']}:{version}", url))
    return found


def _many(options: WandbOptions, field: str, ids: list[str]) -> list[Any]:
    """The answers to one question about many ids, in their order."""
    if not ids:
        return []
    variables = {f"v{number}": id_ for number, id_ in enumerate(ids)}
    head = ", ".join(f"${name}: ID!" for name in variables)
    asked = " ".join(f"a{number}: {field % name}" for number, name in enumerate(variables))
    answer = probe.query(options.base_url, f"query Numbers({head}) {{ {asked} }}", variables)
    return [answer.get(f"a{number}") for number in range(len(ids))]


def _made(kept: dict[str, str], id_: str, url: str) -> Made:
    what: Any = kept["what"]
    return Made(what=what, key=kept["name"], id=id_, source=kept["source"], url=url)

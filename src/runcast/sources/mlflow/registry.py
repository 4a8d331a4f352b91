"""MLflow's model registry as plain values."""

from __future__ import annotations

import msgspec


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

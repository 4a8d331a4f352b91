"""Taking registered models back: the versions of one migration, and the aliases that point to them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from runcast.errors import RuncastError
from runcast.migrate import aliases
from runcast.migrate.manifest import Folder, Manifest, ModelEntry
from runcast.migrate.registered import state
from runcast.plugins.manager import backend_class, registry_class
from runcast.plugins.registry import Registry
from runcast.redact import redact_text


class Removed(BaseModel):
    """What became of one run or registered model.

    Attributes:
        source, run, name: ids and name; a model's `source` is its name there, and its `run` is "".
        ok: whether it is gone.
        reason: why not; or what stays all the same.
    """

    source: str
    run: str
    name: str
    ok: bool
    reason: str = ""


def withdrawn(manifest: Manifest, options: dict[str, Any], folder: Folder, *, force: bool) -> list[Removed]:
    """Remove every model version that a migration made.

    Args:
        manifest: of the migration; its entries are changed.
        options: of the destination's backend.
        folder: of the migration.
        force: also models that were edited since.
    """
    entries = [entry for entry in manifest.models.values() if entry.versions and entry.state != "removed"]
    if not entries:
        return []
    kind = backend_class(manifest.backend)
    registry = registry_class(manifest.backend)(
        kind.Options.model_validate(options), Path.cwd(), folder.layout.root
    )
    try:
        return [_withdraw(registry, entry, force=force) for entry in entries]
    finally:
        registry.close()


def _withdraw(registry: Registry, entry: ModelEntry, *, force: bool) -> Removed:
    result = Removed(source=entry.source, run="", name=entry.name, ok=True)
    try:
        known = registry.versions(entry.name)
        if not force and entry.there and state(known, entry) != entry.there:
            result.ok = False
            result.reason = "it was edited in the destination since; --force removes it all the same"
            return result
        aliases.clear(registry, entry)
        registry.remove(entry.name, sorted(entry.versions.values()), whole=entry.whole)
    except (RuncastError, OSError) as error:
        result.ok, result.reason = False, redact_text(str(error))
        return result
    entry.state, entry.reason, entry.version, entry.there = "removed", "", "", ""
    entry.versions, entry.said, entry.aliases, entry.time = {}, {}, [], time.time_ns()
    return result

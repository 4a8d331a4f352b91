"""Aliases of a registered model: their history said again, and what it does not account for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from runcast.migrate.manifest import ModelEntry
from runcast.plugins.registry import (
    ABANDONED,
    Event,
    Lost,
    RegisteredModel,
    Registry,
    effective,
    holder,
)

STAGE = "a stage of MLflow's"
"""Note of an event that puts an alias in the place of a stage."""
WHO = "runcast migrate"
"""Moves what the history does not account for."""
_NATIVE = ("staging", "production")


def align(registry: Registry, model: RegisteredModel, entry: ModelEntry) -> list[str]:
    """Make the destination's aliases those of the source; gives why some could not be.

    Args:
        registry: the destination's.
        model: as it is in the source.
        entry: its versions are there; it is told which aliases are.
    """
    problems = []
    expected = wanted(registry, model)
    for alias, (number, note) in expected.items():
        spelled = registry.spelled_alias(alias)
        try:
            _replay(registry, model, entry, alias, spelled)
            target = entry.versions.get(number)
            if target is None:
                continue  # the version has not come, which was said
            if (problem := _place(registry, entry, spelled, target, note)) is not None:
                problems.append(problem)
                continue
        except Lost as error:
            problems.append(str(error))
            continue
        if spelled not in entry.aliases:
            entry.aliases.append(spelled)
    kept = {registry.spelled_alias(alias) for alias in expected}
    for spelled in [alias for alias in entry.aliases if alias not in kept]:
        _place(registry, entry, spelled, None, "gone from the source")
        entry.aliases.remove(spelled)
    return problems


def wanted(registry: Registry, model: RegisteredModel) -> dict[str, tuple[int, str]]:
    """Alias → number in the source, and a note; a stage counts as one where the destination has none."""
    found = {alias: (version.version, "") for version in model.versions for alias in version.aliases}
    if registry.name == "mlflow":
        for alias in [alias for alias in found if _was_stage(model, alias)]:
            del found[alias]
        return found
    for version in model.versions:  # the newest last
        if version.stage in _NATIVE and found.get(version.stage, (0, STAGE))[1] == STAGE:
            found[version.stage] = version.version, STAGE
    return found


def _was_stage(model: RegisteredModel, alias: str) -> bool:
    chain = effective(model.events, alias)
    return bool(chain) and chain[-1].note == STAGE


def _replay(registry: Registry, model: RegisteredModel, entry: ModelEntry, alias: str, spelled: str) -> None:
    """Say every event again that moved the alias, by whom and when it was; a second time none."""
    for event in effective(model.events, alias):
        numbers = [n for n in (event.version, event.previous) if n is not None]
        if not all(number in entry.versions for number in numbers):
            return  # of a version that is gone; `_place` does the rest
        known = registry.events(entry.name)
        same = next((one for one in known if one.id == event.id), None)
        if same is not None:
            if same.state == "begun":
                registry.finish(entry.name, same)
            continue
        now = holder(registry.versions(entry.name), spelled)
        previous = None if event.previous is None else entry.versions[event.previous]
        if now != previous:
            return
        version = None if event.version is None else entry.versions[event.version]
        more = {"alias": spelled, "version": version, "previous": previous, "order": _next(known)}
        registry.move(entry.name, event.model_copy(update={**more, "state": "begun"}))


def _place(registry: Registry, entry: ModelEntry, spelled: str, target: int | None, note: str) -> str | None:
    """Move an alias to where it must be, unless it is somebody else's; gives why not."""
    now = holder(registry.versions(entry.name), spelled)
    if now == target:
        return None
    if now is not None and now not in entry.versions.values():
        return f"alias {spelled!r} stays at version {now}, which this migration did not bring"
    known = registry.events(entry.name)
    for begun in (one for one in known if one.alias == spelled and one.state == "begun"):
        if begun.who != WHO and abs(time.time_ns() - begun.time) < ABANDONED:
            return f"alias {spelled!r} stays: {begun.who} is moving it right now; migrate again in a minute"
        registry.finish(entry.name, begun)
        return _place(registry, entry, spelled, target, note)
    text = "\0".join(map(str, (entry.name, spelled, target, now, len(known))))
    event = Event(
        id=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        order=_next(known),
        time=time.time_ns(),
        who=WHO,
        action="aliased" if target is not None else "unaliased",
        alias=spelled,
        version=target,
        previous=now,
        note=note,
    )
    chain = effective(known, spelled)
    held = chain[-1].version if chain else None
    if held != now:  # somebody moved it without runcast
        noticed = {"action": "noticed", "version": now, "previous": held, "id": event.id[::-1], "note": ""}
        registry.move(entry.name, event.model_copy(update=noticed))
        event = event.model_copy(update={"order": event.order + 1})
    registry.move(entry.name, event)
    return None


def clear(registry: Registry, entry: ModelEntry) -> None:
    """Take every alias away that points to a version of this migration."""
    mine = set(entry.versions.values())
    for version in registry.versions(entry.name):
        for alias in version.aliases if version.version in mine else ():
            _place(registry, entry, alias, None, "the migration is rolled back")


def _next(events: Sequence[Event]) -> int:
    return max((event.order for event in events), default=0) + 1

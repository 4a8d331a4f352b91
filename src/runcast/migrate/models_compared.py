"""Registered models of a destination against those of the source: versions, files, runs, words, aliases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runcast.errors import RuncastError
from runcast.migrate.aliases import wanted
from runcast.migrate.content import Uncopied
from runcast.migrate.engine import Plan
from runcast.migrate.manifest import ModelEntry
from runcast.migrate.registered import opened
from runcast.plugins.registry import ModelVersion, RegisteredModel, Registry
from runcast.plugins.source import Source

Unlike = tuple[str, str, str, str]
"""What, its name, how it reads in the source and in the destination."""


class ComparedModel(NamedTuple):
    """One registered model: how many versions and files were compared, and what is not the same."""

    entry: ModelEntry
    versions: int
    files: int
    differences: list[Unlike]
    problem: str


def compared(plan: Plan, target: Source) -> Iterator[ComparedModel]:
    """Compare every registered model that the migration brought.

    Args:
        plan: with its manifest.
        target: reads the destination.
    """
    entries = {name: e for name, e in plan.manifest.models.items() if e.state != "removed"}
    for name, entry in [(name, entry) for name, entry in entries.items() if not entry.versions]:
        yield ComparedModel(entry, 0, 0, [], f"it is not in the destination: {entry.reason or entry.state}")
        del entries[name]
    if not entries:
        return
    registry = opened(plan)
    here = {model.name: model for model in plan.source.registered()}
    there = {model.name: model for model in target.registered()}
    for name, entry in entries.items():
        ours, theirs = here.get(name), there.get(entry.name)
        if ours is None or theirs is None:
            side = "source" if ours is None else "destination"
            yield ComparedModel(entry, 0, 0, [], f"{name} is not in the {side}'s registry any more")
            continue
        found = list(_model(registry, entry, ours, theirs))
        files = 0
        for version in ours.versions:
            count, unlike = _version(plan, target, entry, version, theirs)
            files += count
            found += unlike
        yield ComparedModel(entry, len(ours.versions), files, found, "")
    registry.close()


def _model(
    registry: Registry, entry: ModelEntry, ours: RegisteredModel, theirs: RegisteredModel
) -> Iterator[Unlike]:
    numbers = entry.versions
    expected = {
        registry.spelled_alias(alias): numbers.get(number)
        for alias, (number, _) in wanted(registry, ours).items()
    }
    actual = {alias: version.version for version in theirs.versions for alias in version.aliases}
    mine = {alias for alias, number in actual.items() if number in numbers.values()}
    for alias in sorted(expected.keys() | mine):
        if expected.get(alias) != actual.get(alias):
            yield "alias", alias, _shown(expected.get(alias)), _shown(actual.get(alias))
    kept = next((v.origin for v in theirs.versions if v.version in numbers.values()), {})
    description = theirs.description or str(kept.get("description") or "")
    if ours.description not in ("", description):
        yield "description", entry.source, ours.description, description
    tags = {**dict(kept.get("tags") or {}), **theirs.tags}
    for key, text in ours.tags.items():
        if tags.get(key) != text:
            yield "tag", f"{entry.source} {key}", text, str(tags.get(key, "absent"))


def _version(
    plan: Plan, target: Source, entry: ModelEntry, ours: ModelVersion, model: RegisteredModel
) -> tuple[int, list[Unlike]]:
    number = entry.versions.get(ours.version)
    theirs = next((version for version in model.versions if version.version == number), None)
    name = f"{entry.source}:{ours.version}"
    if theirs is None:
        return 0, [("version", name, "registered", "absent")]
    found: list[Unlike] = []
    if ours.description != theirs.description:
        found.append(("description", name, ours.description, theirs.description))
    for key in sorted(ours.tags.keys() | theirs.tags.keys()):
        if ours.tags.get(key) != theirs.tags.get(key):
            texts = [str(side.get(key, "absent")) for side in (ours.tags, theirs.tags)]
            found.append(("tag", f"{name} {key}", texts[0], texts[1]))
    run = plan.manifest.runs.get(ours.ref)
    if run is not None and run.ref is not None and run.ref.id != theirs.ref:
        found.append(("run", name, run.ref.id, theirs.ref or "none"))
    stages = [ours.stage, theirs.stage or str(theirs.origin.get("stage") or "")]
    if ours.stage and stages[0] != stages[1]:
        found.append(("stage", name, stages[0], stages[1]))
    try:
        said = {file.path: file.sha256 for file in plan.source.files(ours, Uncopied())}
        read = {file.path: file.sha256 for file in target.files(theirs, Uncopied())}
    except (RuncastError, OSError) as error:
        return 0, [*found, ("files", name, "", str(error))]
    for path in sorted(said.keys() | read.keys()):
        if said.get(path) != read.get(path):
            found.append(("file", f"{name} {path}", said.get(path, "absent"), read.get(path, "absent")))
    return len(said), found


def _shown(number: int | None) -> str:
    return "nowhere" if number is None else f"version {number}"

"""Registered models: their versions in order, after the runs that made them; then aliases and stages.

A version keeps its number where the destination's registry can hold it, and its `ModelVersion.origin` says
what it was. Its run, and the logged model or artifact that it stands for, are those that came with the runs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcast.config.packages import missing_packages
from runcast.errors import ConfigError, Retry, RuncastError, SourceError
from runcast.journal import Blobs
from runcast.journal import digest as digest_of
from runcast.migrate.aliases import align
from runcast.migrate.manifest import ModelEntry, Said
from runcast.plugins.manager import registry_class, registry_names
from runcast.plugins.registry import Candidate, ModelVersion, RegisteredModel, Registry
from runcast.plugins.source import Selection
from runcast.redact import redact_text

if TYPE_CHECKING:
    from runcast.migrate.engine import Plan, Progress

_STAGES = ("staging", "production", "archived")
_LONGEST = 60.0
"""Seconds between two attempts, where the destination asks for none."""


def bring(
    plan: Plan,
    selection: Selection,
    progress: Progress,
    *,
    on_conflict: str,
    patience: float,
    tell: Callable[[], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Bring what is new of every registered model; its entry in the manifest says what became of it.

    Args:
        plan: its runs have come as far as they come this time.
        selection: a model comes with its runs: one that has a version of a run that is left out is, too.
        progress: counts; a remark where the destination has no registry.
        on_conflict, patience: as of `runcast.migrate.migrate`.
        tell: called now and then.
        sleep: waits for so many seconds.
    """
    try:
        models = list(plan.source.registered())
    except (RuncastError, OSError) as error:
        progress.notes.append(redact_text(f"registered models of the source cannot be read: {error}"))
        return
    if not models:
        return
    if why := absent(plan):
        progress.notes.append(f"{len(models)} registered models stay behind: {why}")
        return
    registry = opened(plan)
    try:
        for model in models:
            left_out = _left_out(plan, model, selection)
            if left_out:
                progress.notes.append(f"registered model {model.name} stays behind: {left_out}")
                continue
            entry = _entry(plan, registry, model)
            deadline, pause = time.monotonic() + patience, 1.0
            while True:
                tell()
                try:
                    _bring(plan, registry, model, entry, on_conflict)
                except Retry as error:
                    progress.trouble = redact_text(str(error))
                    if time.monotonic() > deadline:
                        entry.state, entry.reason = "failed", progress.trouble
                        break
                    sleep(_LONGEST if error.after and error.after > _LONGEST else error.after or pause)
                    pause = min(pause * 2, _LONGEST)
                    continue
                except (RuncastError, OSError) as error:
                    entry.state, entry.reason = "failed", redact_text(str(error))
                break
            progress.trouble = ""
            entry.time = time.time_ns()
            progress.models += entry.state == "delivered"
            plan.folder.save(plan.manifest)
    finally:
        registry.close()


def absent(plan: Plan) -> str:
    """Why the destination takes no registered models; "" where it does."""
    name, options = plan.destination.name, plan.destination.options
    if name not in registry_names():
        return f"{name} has no registry"
    if options.get("mode") == "offline":
        return f"{name} has a registry at a server only: migrate to {name}:ENTITY/PROJECT"
    kind = registry_class(name)
    if missing := missing_packages(kind.requires):
        return f"its registry needs {', '.join(missing)}: pip install {' '.join(missing.values())}"
    return ""


def opened(plan: Plan, options: dict[str, Any] | None = None) -> Registry:
    """The destination's registry.

    Raises:
        ConfigError: an option is wrong.
    """
    kind = registry_class(plan.destination.name)
    validated = plan.destination.backend.Options.model_validate(options or plan.destination.options)
    return kind(validated, Path.cwd(), plan.folder.layout.root)


def _left_out(plan: Plan, model: RegisteredModel, selection: Selection) -> str:
    if selection == Selection():
        return ""
    runs = {version.ref for version in model.versions if version.ref} - plan.manifest.runs.keys()
    if not runs:
        return ""
    try:
        there = next(plan.source.runs(Selection(runs=tuple(runs))), None)
    except ConfigError:
        return ""
    return (
        f"it has a version of run {there.id}, which is not among those that were asked for" if there else ""
    )


def _entry(plan: Plan, registry: Registry, model: RegisteredModel) -> ModelEntry:
    known = plan.manifest.models.get(model.name)
    if known is not None and known.state != "removed":
        return known
    name = registry.spelled(model.name)
    for version in model.versions[:1]:
        if version.origin.get("tracker") == registry.name:  # it comes home
            name = str(version.origin.get("name") or name)
    return plan.manifest.models.setdefault(model.name, ModelEntry(source=model.name, name=name))


def _bring(
    plan: Plan, registry: Registry, model: RegisteredModel, entry: ModelEntry, on_conflict: str
) -> None:
    version = version_of(model)
    if entry.state == "delivered" and entry.version == version:
        return
    known = registry.versions(entry.name)
    if entry.there and entry.there != state(known, entry) and on_conflict != "add":
        entry.state, entry.reason = (
            "conflict",
            (
                "it was edited in the destination since it was brought, and the source has more: left alone; "
                "--on-conflict add adds what is new"
            ),
        )
        return
    if not entry.versions:
        entry.whole = not known or (entry.whole and entry.state != "removed")
    entry.state, entry.there = "staged", ""
    plan.folder.save(plan.manifest)  # before anything is written: a crash must not make it look like an edit
    problems = _versions(plan, registry, model, entry, known)
    first = model.versions[0] if model.versions else None
    origin = first.origin if first is not None and first.origin.get("tracker") == registry.name else {}
    tags = {**dict(origin.get("tags") or {}), **model.tags}
    if entry.versions and (model.description or origin.get("description") or tags):
        registry.describe(entry.name, model.description or str(origin.get("description") or ""), tags)
    problems += align(registry, model, entry)
    for made in model.versions:
        if made.version in entry.versions:
            _enter(
                registry, entry, made, made.stage or (str(made.origin.get("stage") or "") if origin else "")
            )
    entry.there = state(registry.versions(entry.name), entry)
    entry.reason = "; ".join(problems[:5])
    entry.state = "failed" if problems else "delivered"
    entry.version = version


def _versions(
    plan: Plan,
    registry: Registry,
    model: RegisteredModel,
    entry: ModelEntry,
    known: Sequence[ModelVersion],
) -> list[str]:
    """Register what is not there yet, in order; gives why some could not be."""
    problems = []
    numbers = {version.version: version for version in known}
    for version in model.versions:
        there = numbers.get(entry.versions.get(version.version, -1))
        if there is None:
            run = plan.manifest.runs.get(version.ref)
            if run is not None and run.state not in ("delivered", "conflict"):
                raise SourceError(
                    f"version {version.version}: its run {version.ref} has not come: {run.reason}"
                )
            try:
                candidate = _candidate(plan, registry, model, version, entry)
            except (SourceError, FileNotFoundError) as error:
                problems.append(f"version {version.version} has not come: {error}")
                continue
            if run is not None:
                run.there = ""  # what is made for it now is no edit of somebody else's
                plan.folder.save(plan.manifest)
            there = registry.register(candidate)
            entry.versions[version.version] = there.version
            plan.folder.save(plan.manifest)
        _say(registry, entry, version, there)
    return problems


def _say(registry: Registry, entry: ModelEntry, version: ModelVersion, there: ModelVersion) -> None:
    """Description and tags; what somebody else said of the version in the destination stays."""
    before = entry.said.get(version.version, Said(description=there.description))
    tags: dict[str, str | None] = {}
    for key in version.tags.keys() | before.tags.keys():
        now, wanted = there.tags.get(key), version.tags.get(key)
        if now != wanted and now == before.tags.get(key, now):
            tags[key] = wanted
    is_mine = there.description == before.description
    changed = version.description if is_mine and version.description != there.description else None
    if tags or changed is not None:
        registry.update(entry.name, there.version, changed, tags)
    entry.said[version.version] = Said(
        description=version.description, tags=dict(version.tags), stage=before.stage
    )


def _enter(registry: Registry, entry: ModelEntry, version: ModelVersion, stage: str) -> None:
    """Show a version in its stage, or in none any more; one that did not change is left as it is."""
    said = entry.said.setdefault(version.version, Said())
    stage = stage if stage in _STAGES else ""
    if stage != said.stage:
        registry.enter(entry.name, entry.versions[version.version], stage)
    said.stage = stage


def _candidate(
    plan: Plan, registry: Registry, model: RegisteredModel, version: ModelVersion, entry: ModelEntry
) -> Candidate:
    blobs = Blobs(plan.folder.layout.blobs)
    files = plan.source.files(version, blobs)
    run = plan.manifest.runs.get(version.ref)
    ours = {"tracker", "name", "version"} <= version.origin.keys()
    home = ours and version.origin["tracker"] == registry.name
    return Candidate(
        name=entry.name,
        identity=version.identity or _identity(plan, version),
        digest=version.digest or digest_of(files),
        files={file.path: blobs.path(file.sha256) for file in files},
        digests={file.path: file.sha256 for file in files},
        run=run.run if run is not None else "",
        refs={registry.name: run.ref.id} if run is not None and run.ref is not None else {},
        experiment=run.experiment if run is not None else "",
        metrics=version.metrics,
        model=version.model,
        by=version.by,
        time=version.created,
        number=int(version.origin["version"]) if home else version.version,
        origin={
            "tracker": plan.source.name,
            "name": model.name,
            "version": version.version,
            "stage": version.stage,
            "description": model.description,
            "tags": model.tags,
        },
    )


def _identity(plan: Plan, version: ModelVersion) -> str:
    parts = plan.source.name, plan.source.identity, version.name, str(version.version)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def version_of(model: RegisteredModel) -> str:
    """A digest of what a source says of a model."""
    said = model.model_dump_json().encode("utf-8", "replace")
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def state(known: Sequence[ModelVersion], entry: ModelEntry) -> str:
    """A digest of what this migration is answerable for: its versions, as people see them."""
    mine = set(entry.versions.values())
    plain = [
        (v.version, v.description, sorted(v.tags.items()), sorted(v.aliases), v.stage)
        for v in known
        if v.version in mine
    ]
    return hashlib.blake2b(repr(plain).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

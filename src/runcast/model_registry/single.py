"""`ModelRegistry`: everything that can be done with one tracker's registry."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runcast.config import Policy
from runcast.errors import DeliveryError, RegistryError, UsageError
from runcast.journal import Layout
from runcast.model_registry import candidates, downloads, naming
from runcast.model_registry.conditions import Check
from runcast.model_registry.promotion import Approve, Mover, Own, at, checks, staged
from runcast.model_registry.stages import Stage
from runcast.plugins.registry import Candidate, Event, ModelVersion, Registry, effective

if TYPE_CHECKING:
    from runcast.run import Run


class Comparison(BaseModel):
    """Versions side by side.

    Attributes:
        metrics: names, those that every version has first.
        versions: the best by `by` first, or the newest.
        by: metric that they are ordered by, or "".
    """

    metrics: list[str]
    versions: list[ModelVersion]
    by: str = ""


class ModelRegistry:
    """One tracker's model versions; made by `runcast.registry`.

    A version is meant by ``name`` (the newest), ``name:v3``, ``name@alias``, ``name/stage`` or
    ``name@digest`` (12 digits or more).

    Raises of every method:
        UsageError: no such model, version, alias or stage; a name that a tracker would not take.
        RegistryError: the tracker is down or refuses; nothing is half done that repeating would not finish.
    """

    def __init__(
        self,
        registry: Registry,
        layout: Layout,
        policy: Policy,
        *,
        by: str = "",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._registry, self._layout, self.policy, self._clock = registry, layout, policy, clock
        self._by = by or candidates.who()

    @property
    def name(self) -> str:
        """That of the backend."""
        return self._registry.name

    def register(
        self,
        name: str,
        source: candidates.Source | None = None,
        *,
        run: Run | str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        aliases: Sequence[str] = (),
        metrics: Mapping[str, Any] | None = None,
    ) -> ModelVersion:
        """Register a version; the same content of the same run under the same name is registered once.

        Args:
            name: of the model.
            source: a folder or file, or ``[experiment/]name[:alias]`` of an artifact or model that a run
                logged; the last model of `run` where left out.
            run: who made it, or its id.
            description: prose.
            tags: labels.
            aliases: moving names; no stages, see `promote`.
            metrics: instead of the last values that the run logged.
        """
        self._check_names(name, tags, aliases)
        made = self.candidate(name, source, run=run, metrics=metrics)
        return self.take(made, description=description, tags=tags, aliases=aliases)

    def candidate(self, name: str, source: candidates.Source | None, **more: Any) -> Candidate:
        """What `take` takes; see `register`."""
        return candidates.candidate(
            naming.model_name(name),
            source,
            run=more.get("run"),
            metrics=more.get("metrics"),
            layout=self._layout,
            by=self._by,
            now=self._clock(),
        )

    def take(
        self,
        candidate: Candidate,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        aliases: Sequence[str] = (),
    ) -> ModelVersion:
        """Register what `candidate` gave."""
        self._check_names(candidate.name, tags, aliases)
        with self._errors():
            version = self._registry.register(candidate)
            if description is not None or tags:
                self._registry.update(candidate.name, version.version, description, tags or {})
        for alias in aliases:
            self.alias(str(version), alias)
        return self.get(str(version))

    def names(self) -> list[str]:
        """Every registered model."""
        with self._errors():
            return self._registry.names()

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version of a model, in order.

        Raises:
            UsageError: there is no such model.
        """
        versions = self._versions(naming.split(name)[0])
        if not versions and name not in self.names():
            self._pick(name, versions)
        return versions

    def get(self, wanted: str) -> ModelVersion:
        """The version that is meant."""
        return self._pick(wanted, self._versions(naming.split(wanted)[0]))

    def describe(self, wanted: str, text: str) -> ModelVersion:
        """Say what a version is, in prose."""
        return self._update(wanted, text, {})

    def tag(self, wanted: str, tags: Mapping[str, str], *, description: str | None = None) -> ModelVersion:
        """Add labels to a version; the last value of a name wins. With a description, that is set too."""
        return self._update(wanted, description, dict(naming.tag_of(k, str(v)) for k, v in tags.items()))

    def alias(self, wanted: str, alias: str) -> ModelVersion:
        """Point an alias to a version."""
        naming.alias_name(alias, self.policy)
        version = self.get(wanted)
        mover = self._mover(version.name, alias)
        with self._errors():
            if (now := at(mover.settle(version.version))) != version.version:
                mover.move("aliased", version.version, now)
        return self.get(str(version))

    def unalias(self, name: str, alias: str) -> ModelVersion:
        """Take an alias away; gives the version that had it."""
        naming.alias_name(alias, self.policy)
        version = self.get(f"{name}@{alias}")
        mover = self._mover(name, alias)
        with self._errors():
            if (now := at(mover.settle())) is not None:
                mover.move("unaliased", None, now)
        return self.get(str(version))

    def check(self, wanted: str, stage: str, *, own: Sequence[Own] = ()) -> list[Check]:
        """What `promote` would ask of a version, with the actual values; nothing is moved."""
        naming.stage_name(stage, self.policy)
        version = self.get(wanted)
        with self._errors():
            events = self._registry.events(version.name)
        return checks(version, stage, self._versions(version.name), events, self.policy, own)

    def promote(
        self, wanted: str, stage: str, *, approve: Approve = None, own: Sequence[Own] = (), note: str = ""
    ) -> ModelVersion:
        """Bring a version into a stage, in the place of the one that is there.

        Args:
            wanted: the version.
            stage: one of the policy's.
            approve: who agrees, or a function that is asked with a `Request`, after every other condition.
            own: further conditions, in code: the version and the one in the stage now → why not, or None.
            note: why, for the history.

        Raises:
            Refused: conditions are not met; the message names each with its actual value.
            PromotionError: somebody else was faster.
        """
        naming.stage_name(stage, self.policy)
        version = self.get(wanted)
        with self._errors():
            self._stage(version.name, stage).enter(version, approve, own, note)
        return self.get(str(version))

    def rollback(self, name: str, stage: str = "", *, note: str = "") -> ModelVersion:
        """Bring the version back that the one in a stage has replaced; again: the one before that.

        Args:
            name: of the model.
            stage: the policy's last where left out.
            note: why, for the history.

        Raises:
            PromotionError: there is none to go back to, or somebody else was faster.
        """
        stage = naming.stage_name(stage or self.policy.stages[-1], self.policy)
        self.versions(name)
        with self._errors():
            self._stage(name, stage).go_back(note)
        return self.get(f"{name}/{stage}")

    def rolled_back(self, name: str, stage: str = "") -> tuple[str, str]:
        """Identities of the version in a stage, and of the one that it has replaced by a rollback; or ""."""
        stage = naming.stage_name(stage or self.policy.stages[-1], self.policy)
        self.versions(name)
        with self._errors():
            return self._stage(name, stage).rolled_back()

    def history(self, name: str) -> list[Event]:
        """Who registered, moved and named what, and when; the oldest first."""
        versions = self.versions(name)
        with self._errors():
            moves = _told(self._registry.events(name))
        made = [
            Event(
                id=version.identity[:16], order=0, time=version.created, who=version.by,
                action="registered", version=version.version, state="done",
            )
            for version in versions
        ]  # fmt: skip
        return sorted([*made, *moves], key=lambda event: (event.time, event.order))

    def compare(self, wanted: Sequence[str], *, by: str = "") -> Comparison:
        """Versions side by side, by their metrics.

        Args:
            wanted: versions; a single name means all of that model.
            by: metric that orders them, the best first; the policy's ``lower_is_better`` says which is best.

        Raises:
            UsageError: no version has the metric.
        """
        if len(wanted) == 1 and not naming.split(wanted[0])[1]:
            versions = self.versions(wanted[0])[::-1]
        else:
            versions = [self.get(one) for one in wanted]
        names = dict.fromkeys(name for version in versions for name in sorted(version.metrics))
        if by and by not in names:
            raise UsageError(f"no version has a metric {by!r}; there are {', '.join(names) or 'none'}")
        if by:
            sign = 1 if by in self.policy.lower_is_better else -1

            def key(version: ModelVersion) -> tuple[bool, float]:
                value = float(version.metrics.get(by, float("nan")))
                return (True, 0.0) if value != value else (False, sign * value)

            versions.sort(key=key)
        count = {name: sum(name in version.metrics for version in versions) for name in names}
        return Comparison(
            metrics=sorted(names, key=lambda name: (-count[name], name)), versions=versions, by=by
        )

    def download(self, wanted: str, folder: str | os.PathLike[str] | None = None) -> Path:
        """Copy a version's files into a new folder, each compared with its digest; gives the folder.

        Args:
            wanted: the version.
            folder: ``<name>-v<version>`` where left out.

        Raises:
            UsageError: the folder is there and not empty.
            RegistryError: a file is missing or is not what was registered; nothing is left behind.
        """
        version = self.get(wanted)
        target = Path(folder if folder is not None else f"{version.name}-v{version.version}")
        with self._errors():
            return downloads.download(self._registry, version, target)

    def load(self, wanted: str, *, trust: bool = False, into: Any = None) -> Any:
        """Load a version's model, as `runcast.load_model` does; its files are kept in runcast's folder."""
        version = self.get(wanted)
        with self._errors():
            folder = downloads.cached(self._registry, version, self._layout)
        from runcast.models.loading import load

        return load(folder, version.model.get("data", {}), trust=trust, into=into, what=f"model {version}")

    def close(self) -> None:
        """Let go of connections."""
        self._registry.close()

    def __enter__(self) -> ModelRegistry:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _versions(self, name: str) -> list[ModelVersion]:
        with self._errors():
            versions = self._registry.versions(name)
            return staged(versions, self._registry.events(name) if versions else [], self.policy)

    def _pick(self, wanted: str, versions: Sequence[ModelVersion]) -> ModelVersion:
        return naming.pick(wanted, versions, self.names() if not versions else (), self.policy)

    def _update(self, wanted: str, description: str | None, tags: Mapping[str, str]) -> ModelVersion:
        version = self.get(wanted)
        with self._errors():
            self._registry.update(version.name, version.version, description, tags)
        return self.get(str(version))

    def _mover(self, name: str, alias: str) -> Mover:
        return Mover(self._registry, name, alias, self._by, self._clock)

    def _stage(self, name: str, stage: str) -> Stage:
        return Stage(self._registry, name, stage, self.policy, self._by, self._clock)

    def _check_names(self, name: str, tags: Mapping[str, str] | None, aliases: Sequence[str]) -> None:
        naming.model_name(name)
        for alias in aliases:
            naming.alias_name(alias, self.policy)
        for key, value in (tags or {}).items():
            naming.tag_of(key, str(value))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """What a tracker refuses, as an error for people."""
        try:
            yield
        except DeliveryError as error:
            raise RegistryError(f"registry {self.name}: {error}; repeating the call goes on") from error


def _told(events: list[Event]) -> list[Event]:
    """The events for people: one that moved nothing is lost, whatever its writer lived to say of it."""
    real = {event.id for alias in {e.alias for e in events} for event in effective(events, alias)}
    return [
        event if event.id in real else event.model_copy(update={"state": "lost"})
        for event in events
        if event.id in real or event.action != "noticed"
    ]

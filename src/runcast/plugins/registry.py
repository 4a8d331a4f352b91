"""The contract between runcast and one tracker's model registry.

A registry numbers the versions of a name from 0 or 1, as its tracker does, and lets aliases point to them.
Stages are aliases that the policy knows (`runcast.model_registry`). Whoever moves an alias says so with an
`Event`: its ``previous`` is the version that the alias is expected at. Where two say the same at once, one
of them is effective (`effective`) and the other is told with `Lost`. Everything is safe to repeat: a
process may be killed between any two requests of a call.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from runcast.errors import PromotionError, Reject
from runcast.names import escape

_ILLEGAL = re.compile(r"[^A-Za-z0-9._-]|\A[^A-Za-z0-9]")
_ILLEGAL_ALIAS = re.compile(r"[^A-Za-z0-9_-]|\A[^A-Za-z]|\A(?:latest|v\d+)\Z", re.IGNORECASE)
_LONGEST = 100


class ModelVersion(BaseModel):
    """One version of a registered model.

    Attributes:
        registry: name of the backend whose registry it is.
        name: of the model.
        version: its number there; the first is 0 in W&B, 1 elsewhere.
        description: prose.
        aliases: moving names that point here, stages among them.
        tags: labels.
        stage: the furthest stage of the policy whose alias points here; ``archived`` where it was replaced;
            else ``""``.
        created: ns since 1970.
        by: who registered it.
        run: runcast's id of the run that made it.
        ref: the tracker's own id of that run.
        digest: sha256 over its files as of an artifact, 64 hex digits; ``""`` where runcast did not
            register it.
        files: path → sha256; empty where that is not known.
        metrics: names → values, as they were when it was registered. NaN and the infinities are legal.
        source: where the tracker has the files.
        model: how to load it: ``flavor`` and ``data`` of `runcast.records.Model`; empty for a plain folder.
        identity: the same for every attempt to register these files, from this run, under this name.
        origin: of a version that came from another registry: ``tracker``, ``name``, ``version``, ``stage``,
            and ``description`` and ``tags`` of the model, as they were there; else empty.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")
    registry: str
    name: str
    version: int
    description: str = ""
    aliases: list[str] = []
    tags: dict[str, str] = {}
    stage: str = ""
    created: int = 0
    by: str = ""
    run: str = ""
    ref: str = ""
    digest: str = ""
    files: dict[str, str] = {}
    metrics: dict[str, bool | int | float] = {}
    source: str = ""
    model: dict[str, Any] = {}
    identity: str = ""
    origin: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.name}:v{self.version}"


class Event(BaseModel):
    """One move of an alias.

    Attributes:
        id: 16 hex digits.
        order: larger than that of every event of the name that was there before; no clock is trusted.
        time: ns since 1970.
        who: who did it.
        action: ``noticed``: somebody moved the alias without runcast.
        alias: what moved.
        version: where it points from then on; None: nowhere.
        previous: where it pointed before.
        note: why.
        approved_by: who agreed.
        archive: the version that was replaced is archived.
        state: ``lost``: another event was faster, and nothing was moved.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    order: int
    time: int
    who: str
    action: Literal["registered", "promoted", "rolled back", "aliased", "unaliased", "noticed"]
    alias: str = ""
    version: int | None
    previous: int | None = None
    note: str = ""
    approved_by: str = ""
    archive: bool = False
    state: Literal["begun", "done", "lost"] = "begun"


class RegisteredModel(BaseModel):
    """A model of a registry as a whole, as a source finds it.

    Attributes:
        name: of the model.
        description, tags: of the model, where the registry has such beside those of its versions.
        versions: in order; the `ModelVersion.ref` of each is the tracker's own id of its run.
        events: in order; none where nobody wrote a history.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    description: str = ""
    tags: dict[str, str] = {}
    versions: list[ModelVersion]
    events: list[Event] = []


ABANDONED = 60_000_000_000
"""ns after which a move that nobody finished is taken over."""


class Lost(PromotionError):
    """Somebody else moved the alias at the same time."""


@dataclass(frozen=True)
class Candidate:
    """What is to become a version.

    Attributes:
        name: of the model.
        identity, digest, run, metrics, model, by: as of `ModelVersion`.
        files: path → the file that holds its content; read-only.
        digests: path → sha256.
        refs: name of a backend → that tracker's id of the run, where the run is there.
        experiment: of the run.
        time: ns since 1970.
        number: of the version, where it must not be the next one: a registry that can leaves a gap.
        origin: as of `ModelVersion`.
    """

    name: str
    identity: str
    digest: str
    files: Mapping[str, Path]
    digests: Mapping[str, str]
    run: str = ""
    refs: Mapping[str, str] = field(default_factory=dict)
    experiment: str = ""
    metrics: Mapping[str, bool | int | float] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    time: int = 0
    number: int | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)


class Registry(ABC):
    """One tracker's model versions, aliases and history.

    Raises of every method: `Retry`, `Halt`, `Reject` of `runcast.errors`, with their meaning for a backend.
    """

    name: ClassVar[str]
    """That of the backend whose options it shares."""
    requires: ClassVar[Mapping[str, str]] = {}
    """Importable module → what ``pip install`` needs."""

    def __init__(self, options: Any, base: Path, folder: Path) -> None:
        """Keep what is given; touch nothing.

        Args:
            options: the backend's, validated.
            base: folder that relative paths in them start at.
            folder: runcast's own.
        """
        self.options, self.base, self.folder = options, base, folder

    @abstractmethod
    def names(self) -> list[str]:
        """Every registered model, sorted."""

    @abstractmethod
    def versions(self, name: str) -> list[ModelVersion]:
        """Every version in order, without its stage; none where there is no such model."""

    @abstractmethod
    def register(self, candidate: Candidate) -> ModelVersion:
        """The version with the candidate's identity, made where there is none."""

    @abstractmethod
    def update(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str | None]
    ) -> None:
        """Set the description, unless it is None, and tags; one that is None is taken away."""

    @abstractmethod
    def events(self, name: str) -> list[Event]:
        """Every event in order, those that are lost too."""

    @abstractmethod
    def move(self, name: str, event: Event) -> None:
        """Write the event down and move the alias.

        Raises:
            Lost: the alias is not at ``event.previous`` (any more), so nothing was moved.
        """

    @abstractmethod
    def finish(self, name: str, event: Event) -> None:
        """Complete a `move` that was cut short."""

    @abstractmethod
    def fetch(self, name: str, version: int, folder: Path) -> None:
        """Bring the version's files into an empty folder, whatever else is there beside them."""

    def spelled(self, name: str) -> str:
        """The name under which this registry takes a model that is called so elsewhere; reversible."""
        return escape(name, _ILLEGAL, _LONGEST)

    def spelled_alias(self, alias: str) -> str:
        """As `spelled`, of an alias."""
        return escape(alias, _ILLEGAL_ALIAS, _LONGEST)

    def description(self, name: str) -> str:
        """What was said of a model as a whole; "" where there is no place for it."""
        return ""

    def describe(self, name: str, description: str, tags: Mapping[str, str]) -> None:  # noqa: B027
        """Say what a model as a whole is, where there is a place for it; tags are added."""

    def enter(self, name: str, version: int, stage: str) -> None:  # noqa: B027  # few trackers have stages
        """Show a version in a stage of the tracker's own, lower case; beside those that are in it.

        ``""`` is none.
        """

    def remove(self, name: str, versions: Sequence[int], *, whole: bool) -> None:
        """Take versions away, to which no alias points any more; what is gone already is fine.

        Args:
            name: of the model.
            versions: their numbers.
            whole: the name too, where no version is left under it.
        """
        raise Reject(f"{self.name}: this registry cannot remove versions: remove {name} by hand")

    def close(self) -> None:  # noqa: B027  # optional on purpose
        """Let go of connections."""


def lost(name: str, event: Event, now: int | None) -> Lost:
    """What to tell whoever was slower: the alias is at `now`."""
    where = "nowhere" if now is None else f"at v{now}"
    was = "nowhere" if event.previous is None else f"at v{event.previous}"
    what = f"is {where} now and was {was} when this was decided: somebody else was faster"
    if now == event.previous:
        what = "is being moved by somebody else, who was faster"
    return Lost(f"{name}: {event.alias!r} {what}; look at `runcast registry history {name}` and decide again")


def holder(versions: Sequence[ModelVersion], alias: str) -> int | None:
    """The version that an alias points to; None where there is none."""
    return next((version.version for version in versions if alias in version.aliases), None)


def effective(events: Sequence[Event], alias: str) -> list[Event]:
    """The events that moved an alias: each begins where the one before it ended.

    Of two that begin at the same place the one that comes first in the order moved it, whatever clock or
    process wrote it; so everybody who reads the same events agrees.
    """
    current: int | None = None
    found = []
    for event in sorted(events, key=lambda event: (event.order, event.id)):
        if event.alias == alias and event.state != "lost" and event.previous == current:
            found.append(event)
            current = event.version
    return found

"""Projects, and what is found in one by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import Refused
from .filters import select
from .paging import Connection, global_id, page
from .things import Thing

if TYPE_CHECKING:
    from .artifacts import Artifact, ArtifactType, Collection
    from .owners import Entity, User
    from .runs import Run
    from .sweeps import Sweep

REGISTRY = "wandb-registry-"


@dataclass(eq=False)
class Project(Thing):
    """A project, or a registry, which is one with a special name."""

    entity: Entity
    name: str
    description: str | None = None
    access: str | None = "PRIVATE"
    views: Any = None
    allow_all_artifact_types_in_registry: bool = True
    stored_runs: dict[str, Run] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    types: dict[str, ArtifactType] = field(default_factory=dict)
    stored_sweeps: dict[str, Sweep] = field(default_factory=dict)
    is_benchmark = False
    read_only = False

    @property
    def is_registry(self) -> bool:
        """Whether it is one of the organization's registries."""
        return self.name.startswith(REGISTRY)

    @property
    def internal_id(self) -> str:
        """The id that the client takes the number out of, for filters."""
        return global_id("ProjectInternalId", self.number)

    @property
    def entity_name(self) -> str:
        """The owner's name."""
        return self.entity.name

    @property
    def user(self) -> User:
        """Who made it."""
        return self.home.user

    def run(self, name: str) -> Run | None:
        """A run by its id, which the interface calls its name."""
        return self.stored_runs.get(name)

    def bucket(self, name: str, missing_ok: bool = False) -> Run | None:
        """A run under its old name."""
        if name not in self.stored_runs and not missing_ok:
            raise Refused(f"run {name} not found")
        return self.run(name)

    def _selected(self, filters: str | None, order: str | None = None) -> list[Run]:
        runs = list(self.stored_runs.values())
        return select(runs, filters, order, type(runs[0]).look) if runs else []

    def run_count(self, filters: Any = None) -> int:
        """How many runs meet the filters."""
        return len(self._selected(filters))

    def runs(
        self, filters: Any = None, after: Any = None, first: Any = None, order: Any = None
    ) -> Connection:
        """Runs that meet the filters, the newest first when no order is asked for."""
        return page(self._selected(filters, order or "-created_at"), after, first)

    def sweep(self, sweep_name: str) -> Sweep | None:
        """A sweep by its id, which the interface calls its name."""
        return self.stored_sweeps.get(sweep_name)

    @property
    def total_sweeps(self) -> int:
        """How many sweeps there are."""
        return len(self.stored_sweeps)

    def sweeps(self, filters: Any = None, after: Any = None, first: Any = None) -> Connection:
        """Sweeps that meet the filters."""
        every = list(self.stored_sweeps.values())
        return page(select(every, filters, None, type(every[0]).look) if every else [], after, first)

    def artifact(self, name: str) -> Artifact | None:
        """A version by ``collection:alias``."""
        found = self.artifact_collection_membership(name)
        return found.artifact if found else None

    def artifact_collection_membership(self, name: str) -> Any:
        """A version as a member of its collection, by ``collection:alias``."""
        collection, _, alias = name.partition(":")
        found = self.collections.get(collection)
        return found.artifact_membership(alias or "latest") if found else None

    def artifact_collection(self, name: str) -> Collection | None:
        """A collection by name."""
        return self.collections.get(name)

    def artifact_collections(
        self, after: Any = None, first: Any = None, filters: Any = None, order: Any = None
    ) -> Connection:
        """Collections of every type."""
        every = list(self.collections.values())
        return page(select(every, filters, order, type(every[0]).look) if every else [], after, first)

    def artifact_type(self, name: str) -> ArtifactType | None:
        """A type of artifacts that this project has."""
        return self.types.get(name)

    def artifact_types(self, after: Any = None, first: Any = None, include_all: bool = False) -> Connection:
        """The types of artifacts that this project has, or that a registry takes."""
        return page(self.types.values(), after, first)


def look_at_project(project: Project, key: str) -> Any:
    """How a filter's keys read in a project."""
    plain = {"name", "description", "created_at", "updated_at", "access"}
    if key in plain:
        return getattr(project, key)
    return {"id": project.number, "entity_id": project.entity.number}[key]

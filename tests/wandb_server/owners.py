"""Who owns projects: the user, the organization, and both as entities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .filters import select
from .paging import Connection, page
from .projects import Project, look_at_project
from .things import Thing


@dataclass(eq=False)
class User(Thing):
    """The one who has the key."""

    username: str
    organization: Organization
    admin = False
    flags = "{}"
    deleted_at = None
    email = "someone@example.org"
    api_keys = property(lambda self: page([]))

    @property
    def name(self) -> str:
        """The user's name."""
        return self.username

    @property
    def entity(self) -> str:
        """Where runs go that name no entity."""
        return self.username

    def teams(self) -> Connection:
        """The user's own entity counts as one."""
        return page([self.home.entities[self.username]])

    def organizations(self) -> list[Organization]:
        """There is one."""
        return [self.organization]


@dataclass(eq=False)
class Organization(Thing):
    """An organization; its registries belong to its entity."""

    name: str
    core_weave_organization_id = ""

    @property
    def org_entity(self) -> Entity:
        """The entity that registries belong to."""
        return self.home.entities[f"{self.name}-org"]

    def advanced_registry_features(self) -> dict[str, bool]:
        """The simple search, of which the client's filters have more keys."""
        return {"advancedSearch": False}


@dataclass(eq=False)
class Entity(Thing):
    """A user, a team or an organization, as an owner of projects."""

    name: str
    entity_type: str
    organization: Organization
    user: User | None = None
    owned: dict[str, Project] = field(default_factory=dict)

    def project(self, name: str) -> Project | None:
        """A project by name."""
        return self.owned.get(name)

    def projects(
        self, filters: Any = None, after: Any = None, first: Any = None, order: Any = None
    ) -> Connection:
        """Projects that meet the filters."""
        return page(select(self.owned.values(), filters, order, look_at_project), after, first)

    def _registries(self, filters: str | None) -> list[Project]:
        return [p for p in select(self.owned.values(), filters, None, look_at_project) if p.is_registry]

    def artifact_collections(
        self,
        project_filters: Any = None,
        filters: Any = None,
        collection_types: Iterable[str] = ("PORTFOLIO", "SEQUENCE"),
        after: Any = None,
        first: Any = None,
        order: Any = None,
    ) -> Connection:
        """Collections in the registries that meet the filters."""
        kinds = {f"Artifact{name.title()}" for name in collection_types}
        every = [c for p in self._registries(project_filters) for c in p.collections.values()]
        chosen = [c for c in every if c.kind in kinds]
        return page(select(chosen, filters, order, type(chosen[0]).look) if chosen else [], after, first)

    def artifact_memberships(
        self,
        project_filters: Any = None,
        collection_filters: Any = None,
        filters: Any = None,
        after: Any = None,
        first: Any = None,
        order: Any = None,
    ) -> Connection:
        """Versions in the registries that meet the filters."""
        every = [c for p in self._registries(project_filters) for c in p.collections.values()]
        chosen = select(every, collection_filters, None, type(every[0]).look) if every else []
        members = [m for c in chosen for m in c.members]
        return page(select(members, filters, order, type(members[0]).look) if members else [], after, first)

"""The roots of the interface: what a query and a mutation begin at."""

from __future__ import annotations

from typing import Any

from .artifact_writing import ArtifactMutations
from .artifacts import Artifact, Collection
from .errors import Refused
from .linking import LinkMutations
from .owners import Entity, Organization, User
from .paging import Connection, page
from .projects import Project
from .run_writing import RunMutations
from .state import State
from .sweeps import SweepMutations


class Queries:
    """The fields of `Query`."""

    home: State

    def viewer(self) -> User:
        """Who asks."""
        return self.home.user

    def server_info(self) -> dict[str, Any]:
        """What the server can do, in the client's words."""
        return {"features": [{"name": name, "isEnabled": True} for name in self.home.features]}

    def entity(self, name: str | None = None) -> Entity | None:
        """An entity by name."""
        return self.home.entities.get(name or self.home.user.entity)

    def organization(self, name: str | None = None) -> Organization | None:
        """The organization, by its name."""
        return self.home.organization if name == self.home.organization.name else None

    def project(self, name: str | None = None, entity_name: str | None = None) -> Project | None:
        """A project, or None."""
        owner = self.entity(entity_name)
        return owner.project(name or "uncategorized") if owner else None

    model = project

    def models(self, entity_name: str | None = None, after: Any = None, first: Any = None) -> Connection:
        """The projects of an entity that are no registries."""
        owned = self.home.entity(entity_name).owned.values()
        return page([project for project in owned if not project.is_registry], after, first)

    def artifact(self, id: str) -> Artifact | None:
        """An artifact by id."""
        found = self.home.things.get(id)
        return found if isinstance(found, Artifact) else None

    def artifact_collection(self, id: str) -> Collection | None:
        """A collection by id."""
        found = self.home.things.get(id)
        return found if isinstance(found, Collection) else None

    def client_id_mapping(self, client_id: str) -> dict[str, Any]:
        """The server's id for one that a client made up."""
        for thing in self.home.things.values():
            if isinstance(thing, (Artifact, Collection)) and thing.client_id == client_id:
                return {"serverID": thing.id}
        raise Refused(f"nothing has the client's id {client_id}")


class Root(Queries, RunMutations, ArtifactMutations, LinkMutations, SweepMutations):
    """Every field of `Query` and `Mutation`."""

    def __init__(self, home: State) -> None:
        self.home = home

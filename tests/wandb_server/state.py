"""What the stand-in remembers, found by name and by id."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from .errors import Refused
from .owners import Entity, Organization, User
from .projects import Project
from .things import Thing, md5


class State:
    """Everything that the server knows; safe to use with `lock` held."""

    def __init__(self, user: str = "me", organization: str = "acme", features: Iterable[str] = ()) -> None:
        self.lock = threading.RLock()
        self.url = ""
        self.features = list(features)
        self.things: dict[str, Thing] = {}
        self.blobs: dict[str, bytes] = {}
        self._by_digest: dict[str, bytes] = {}
        self.entities: dict[str, Entity] = {}
        self.count_override: int | None = None
        self.organization = Organization(self, organization)
        self.user = User(self, user, self.organization)
        self.entities[user] = Entity(self, user, "user", self.organization, self.user)
        owner = f"{organization}-org"
        self.entities[owner] = Entity(self, owner, "organization", self.organization)

    def find(self, kind: type[Any], thing: str | None) -> Any:
        """The thing with a global id.

        Raises:
            Refused: there is none of this kind.
        """
        found = self.things.get(thing or "")
        if not isinstance(found, kind):
            raise Refused(f"{kind.__name__} {thing} not found")
        return found

    def put(self, key: str, content: bytes) -> None:
        """Keep an uploaded file."""
        self.blobs[key] = content
        self._by_digest[md5(content)] = content

    def same_content(self, digest: str) -> bytes | None:
        """Content that was uploaded before, by its MD5."""
        return self._by_digest.get(digest)

    def entity(self, name: str | None) -> Entity:
        """An entity; without a name, the user's."""
        found = self.entities.get(name or self.user.entity)
        if found is None:
            raise Refused(f"entity {name} not found")
        return found

    def project(self, entity: str | None, name: str | None) -> Project:
        """A project that must be there."""
        found = self.entity(entity).project(name or "uncategorized")
        if found is None:
            raise Refused(f"project {entity}/{name} not found")
        return found

    def project_made(self, entity: str | None, name: str | None) -> Project:
        """A project, made if it is not there."""
        owner, title = self.entity(entity), name or "uncategorized"
        if title not in owner.owned:
            owner.owned[title] = Project(self, owner, title)
        return owner.owned[title]

    def projects(self) -> list[Project]:
        """All projects of all entities."""
        return [project for entity in self.entities.values() for project in entity.owned.values()]

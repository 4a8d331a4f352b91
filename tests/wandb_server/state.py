"""What the stand-in remembers: entities, projects and files, found by name and by id."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .errors import Refused
from .filters import select
from .paging import Connection, global_id, page

if TYPE_CHECKING:
    from .artifacts import Artifact, ArtifactType, Collection
    from .runs import Run
    from .sweeps import Sweep

REGISTRY = "wandb-registry-"


def now() -> str:
    """The time in the server's spelling."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def md5(content: bytes) -> str:
    """A file's digest as W&B spells it: MD5 in base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


@dataclass(eq=False)
class Thing:
    """Anything with an id; `number` is unique among all things of the server."""

    home: State
    number: int = field(init=False)
    created_at: str = field(init=False)
    updated_at: str = field(init=False)

    def __post_init__(self) -> None:
        self.number = len(self.home.things) + 1
        self.created_at = self.updated_at = now()
        self.home.things[self.id] = self

    @property
    def kind(self) -> str:
        """The GraphQL type."""
        return type(self).__name__

    @property
    def id(self) -> str:
        """The global id."""
        return global_id(self.kind, self.number)


@dataclass(eq=False)
class StoredFile(Thing):
    """A file's place in the store; it has content once it was uploaded."""

    kind = "File"
    name: str
    key: str

    @property
    def content(self) -> bytes | None:
        """The bytes, or None before the upload."""
        return self.home.blobs.get(self.key)

    @property
    def display_name(self) -> str:
        """The name, as artifacts' files call it."""
        return self.name

    @property
    def direct_url(self) -> str:
        """Where to read and to write it."""
        return f"{self.home.url}/storage/{self.key}"

    upload_url = direct_url
    storage_path = property(lambda self: self.key)
    upload_headers: tuple[str, ...] = ()

    def url(self, upload: bool = False) -> str:
        """Where to read it, or to write it: the same place."""
        return self.direct_url

    @property
    def size_bytes(self) -> int:
        """Bytes uploaded."""
        return len(self.content or b"")

    @property
    def mimetype(self) -> str | None:
        """By the name."""
        return mimetypes.guess_type(self.name)[0]

    @property
    def md5(self) -> str | None:
        """Digest of the content."""
        return None if self.content is None else md5(self.content)

    digest = md5


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

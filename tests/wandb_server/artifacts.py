"""Artifacts, their types, and the collections that they are versions of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import Refused
from .filters import deep, select
from .paging import Connection, global_id, page
from .projects import Project
from .things import StoredFile, Thing

if TYPE_CHECKING:
    from .runs import Run


@dataclass(eq=False)
class Tag(Thing):
    """A tag of a version or of a collection."""

    name: str


@dataclass(eq=False)
class ArtifactType(Thing):
    """A type of artifacts in one project."""

    project: Project
    name: str
    description: str | None = None

    def _mine(self) -> list[Collection]:
        return [c for c in self.project.collections.values() if c.default_artifact_type.name == self.name]

    def artifact_collection(self, name: str) -> Collection | None:
        """A collection of this type."""
        return next((c for c in self._mine() if c.name == name), None)

    def artifact_collections(
        self, after: Any = None, first: Any = None, filters: Any = None, order: Any = None
    ) -> Connection:
        """The collections of this type."""
        return page(select(self._mine(), filters, order, Collection.look), after, first)


def type_made(project: Project, name: str, description: str | None = None) -> ArtifactType:
    """A type of a project, made if it is not there."""
    if name not in project.types:
        project.types[name] = ArtifactType(project.home, project, name, description)
    return project.types[name]


@dataclass
class Alias:
    """A name of a version in a collection."""

    alias: str
    artifact_collection: Collection

    @property
    def id(self) -> str:
        """Unique in the collection."""
        return global_id("ArtifactAlias", f"{self.artifact_collection.number}:{self.alias}")


@dataclass(eq=False)
class ArtifactCollectionMembership(Thing):
    """An artifact as a version of one collection."""

    artifact_collection: Collection
    artifact: Artifact
    version_index: int
    names: list[str] = field(default_factory=list)

    @property
    def aliases(self) -> list[Alias]:
        """The version's names in this collection."""
        return [Alias(name, self.artifact_collection) for name in self.names]

    def files(self, names: Any = None, after: Any = None, first: Any = None) -> Connection:
        """The version's files."""
        found = self.artifact.entries()
        return page([f for f in found if not names or f.name in names], after, first)

    def look(self, key: str) -> Any:
        """How a filter's keys read."""
        if key in ("alias", "tag"):
            return self.names if key == "alias" else [tag.name for tag in self.artifact.tags]
        if key in ("version", "id"):
            return self.version_index if key == "version" else self.artifact.number
        return self.artifact.look(key)


@dataclass(eq=False)
class Collection(Thing):
    """Versions under one name; `members` are in their order."""

    project: Project
    name: str
    default_artifact_type: ArtifactType
    description: str | None = None
    client_id: str | None = None
    state: str = "READY"
    members: list[ArtifactCollectionMembership] = field(default_factory=list)
    stored_tags: list[Tag] = field(default_factory=list)
    made: int = 0

    def tags(self) -> Connection:
        """The collection's tags."""
        return page(self.stored_tags)

    def aliases(self, after: Any = None, first: Any = None) -> Connection:
        """All names of all versions."""
        return page([alias for member in self.members for alias in member.aliases], after, first)

    def artifact_membership(self, alias_name: str) -> ArtifactCollectionMembership | None:
        """The version with a name, or with a number as in ``v0``."""
        for member in self.members:
            if alias_name in member.names or alias_name == f"v{member.version_index}":
                return member
        return None

    def artifacts(
        self, after: Any = None, first: Any = None, order: Any = None, filters: Any = None
    ) -> Connection:
        """The versions, the newest first when no order is asked for."""
        members = select(reversed(self.members), filters, order, ArtifactCollectionMembership.look)
        found = page(members, after, first)
        for edge in found.edges:
            edge.version, edge.node = f"v{edge.node.version_index}", edge.node.artifact
        return found

    def member(self, artifact: Artifact) -> ArtifactCollectionMembership | None:
        """The artifact as a version of this collection."""
        return next((m for m in self.members if m.artifact is artifact), None)

    def add(self, artifact: Artifact, aliases: Iterable[str]) -> ArtifactCollectionMembership:
        """Make the artifact a version, if it is none yet, and give it names and ``latest``."""
        member = self.member(artifact)
        if member is None:
            member = ArtifactCollectionMembership(self.home, self, artifact, self.made)
            self.made += 1
            self.members.append(member)
            artifact.members.append(member)
        for alias in ("latest", *aliases):
            self.name_version(member, alias)
        return member

    def name_version(self, member: ArtifactCollectionMembership, alias: str) -> None:
        """Give a version a name; the one that had it loses it."""
        for other in self.members:
            if other is not member and alias in other.names:
                other.names.remove(alias)
        if alias not in member.names:
            member.names.append(alias)

    def remove(self, artifact: Artifact) -> None:
        """Take a version out; its number is not given again."""
        member = self.member(artifact)
        if member is None:
            raise Refused("the artifact is not in the collection")
        self.members.remove(member)
        artifact.members.remove(member)

    _KEYS: ClassVar[dict[str, str]] = {"artifact_collection_id": "number", "id": "number"}

    def look(self, key: str) -> Any:
        """How a filter's keys read."""
        if key in ("tag", "tags"):
            return [tag.name for tag in self.stored_tags]
        if key in ("name", "description", "created_at", "updated_at", "createdAt", "state"):
            return getattr(self, "created_at" if key == "createdAt" else key)
        return getattr(self, self._KEYS[key])


class ArtifactSequence(Collection):
    """A collection in which artifacts are made."""

    @property
    def latest_artifact(self) -> Artifact | None:
        """The newest version."""
        return self.members[-1].artifact if self.members else None


class ArtifactPortfolio(Collection):
    """A collection that artifacts are linked into."""


@dataclass(eq=False)
class Manifest(Thing):
    """The list of an artifact's files, which is a file itself."""

    artifact: Artifact
    form: str
    name: str
    digest: str
    base: Artifact | None
    file: StoredFile = field(init=False)
    kind = "ArtifactManifest"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.file = StoredFile(self.home, self.name, f"manifest/{self.id}/{self.name}")

    def contents(self) -> dict[str, dict[str, Any]]:
        """Path → entry; of a manifest that adds to another one's, both."""
        listed = json.loads(self.file.content or b"{}").get("contents", {})
        if self.form == "FULL" or self.base is None or self.base.current_manifest is None:
            return dict(listed)
        return {**self.base.current_manifest.contents(), **listed}


@dataclass(eq=False)
class Artifact(Thing):
    """One version.

    Attributes:
        wanted: names that it gets when it is committed.
        creator: the run that logged it, or None for the user.
        members: itself as a version of each collection that it is in.
    """

    artifact_sequence: ArtifactSequence
    artifact_type: ArtifactType
    digest: str
    description: str | None = None
    metadata: str | None = None
    history_step: int | None = None
    client_id: str | None = None
    creator: Run | None = None
    wanted: list[str] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    state: str = "PENDING"
    ttl_duration_seconds: int = -2
    manifests: list[Manifest] = field(default_factory=list)
    users: list[Run] = field(default_factory=list)
    members: list[ArtifactCollectionMembership] = field(default_factory=list)
    commit_hash = None

    @property
    def ttl_is_inherited(self) -> bool:
        """Whether how long it is kept is the collection's matter."""
        return self.ttl_duration_seconds == -2

    @property
    def committed(self) -> bool:
        """Whether it is whole."""
        return self.state == "COMMITTED"

    @property
    def version_index(self) -> int | None:
        """Its number where it was made."""
        member = self.artifact_sequence.member(self)
        return member.version_index if member else None

    @property
    def aliases(self) -> list[Alias]:
        """Its names in all collections."""
        return [alias for member in self.members for alias in member.aliases]

    @property
    def current_manifest(self) -> Manifest | None:
        """The last manifest that was uploaded."""
        return next((m for m in reversed(self.manifests) if m.file.content is not None), None)

    def contents(self) -> dict[str, dict[str, Any]]:
        """Path → what the manifest says of it."""
        return self.current_manifest.contents() if self.current_manifest else {}

    def place(self, path: str) -> StoredFile:
        """Where one of its files is kept."""
        return StoredFile(self.home, path, f"{self.id}/{path}")

    def stored(self, path: str) -> StoredFile:
        """A file of the manifest, in the artifact that it was uploaded for."""
        birth = self.home.things.get(self.contents()[path].get("birthArtifactID", ""))
        return (birth if isinstance(birth, Artifact) else self).place(path)

    def entries(self) -> list[StoredFile]:
        """The files of the manifest that are kept here, not those that it only refers to."""
        return [self.stored(path) for path, entry in sorted(self.contents().items()) if "ref" not in entry]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.get("size", 0) for entry in self.contents().values())

    @property
    def file_count(self) -> int:
        """How many files."""
        return len(self.contents())

    @property
    def created_by(self) -> Any:
        """The run or the user that made it."""
        return self.creator or self.home.user

    def used_by(self) -> Connection:
        """The runs that it went into."""
        return page(self.users)

    def artifact_memberships(self) -> Connection:
        """Itself as a version of each collection that it is in."""
        return page(self.members)

    def look(self, key: str) -> Any:
        """How a filter's keys read."""
        head, _, rest = key.partition(".")
        if head == "metadata":
            return deep(json.loads(self.metadata or "{}"), rest)
        if key in ("state", "digest", "description", "size"):
            return getattr(self, key)
        return {"created_at": self.created_at, "createdAt": self.created_at, "updated_at": self.updated_at}[
            key
        ]

    def check(self) -> None:
        """Whether everything that the manifest lists is there, byte for byte.

        Raises:
            Refused: a file is missing or is not what the manifest says, or the digest is another one.
        """
        contents = self.contents()
        for path, entry in contents.items():
            file = self.stored(path)
            if "ref" not in entry and file.md5 != entry["digest"]:
                raise Refused(f"{path}: uploaded {file.md5}, the manifest says {entry['digest']}")
        lines = "".join(f"{path}:{entry['digest']}\n" for path, entry in sorted(contents.items()))
        whole = hashlib.md5(
            f"wandb-artifact-manifest-v1\n{lines}".encode(), usedforsecurity=False
        ).hexdigest()
        if self.digest != whole and self.manifests and self.manifests[-1].form == "FULL":
            raise Refused(f"the digest is {self.digest}, that of the manifest {whole}")

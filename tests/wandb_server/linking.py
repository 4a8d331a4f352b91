"""What a client says to link artifacts into registries, and about names and tags there."""

from __future__ import annotations

from typing import Any

from .artifacts import Artifact, ArtifactPortfolio, Collection, Tag, type_made
from .errors import Refused
from .projects import Project
from .run_writing import Input
from .state import State


class LinkMutations:
    """The mutations of links, aliases, and tags of collections."""

    home: State

    def link_artifact(self, input: Input) -> dict[str, Any]:
        """Make an artifact a version of a collection of another project, which must be there."""
        artifact = self._linked(input)
        collection = self._portfolio(input, artifact)
        aliases = [alias["alias"] for alias in input.get("aliases") or ()]
        member = collection.add(artifact, aliases)
        return {"versionIndex": member.version_index, "artifactMembership": member}

    def _linked(self, input: Input) -> Artifact:
        if input.get("artifact_id"):
            found: Artifact = self.home.find(Artifact, input["artifact_id"])
            return found
        for thing in self.home.things.values():
            if isinstance(thing, Artifact) and thing.client_id == input["client_id"]:
                return thing
        raise Refused(f"no artifact with the client's id {input['client_id']}")

    def _portfolio(self, input: Input, artifact: Artifact) -> ArtifactPortfolio:
        if input.get("artifact_portfolio_id"):
            found = self.home.find(ArtifactPortfolio, input["artifact_portfolio_id"])
            assert isinstance(found, ArtifactPortfolio)
            return found
        project = self.home.project(input["entity_name"], input["project_name"])
        name, kind = input["artifact_portfolio_name"], artifact.artifact_type.name
        _take(project, kind)
        known = project.collections.get(name)
        if known is None:
            known = ArtifactPortfolio(self.home, project, name, type_made(project, kind))
            project.collections[name] = known
        if not isinstance(known, ArtifactPortfolio) or known.default_artifact_type.name != kind:
            raise Refused(f"{name} exists already, with type {known.default_artifact_type.name}")
        return known

    def unlink_artifact(self, input: Input) -> dict[str, Any]:
        """Take an artifact out of a collection."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        self.home.find(ArtifactPortfolio, input["artifact_portfolio_id"]).remove(artifact)
        return {"success": True}

    def add_aliases(self, input: Input) -> dict[str, Any]:
        """Give a version more names, each in its collection."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        for wanted in input["aliases"]:
            collection = self._named(wanted)
            member = collection.member(artifact)
            if member is None:
                raise Refused(f"the artifact is not in {collection.name}")
            collection.name_version(member, wanted["alias"])
        return {"success": True}

    def delete_aliases(self, input: Input) -> dict[str, Any]:
        """Take names away from a version."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        for wanted in input["aliases"]:
            member = self._named(wanted).member(artifact)
            if member is None or wanted["alias"] not in member.names:
                raise Refused(f"the artifact has no alias {wanted['alias']}")
            member.names.remove(wanted["alias"])
        return {"success": True}

    def create_artifact_collection_tag_assignments(self, input: Input) -> dict[str, Any]:
        """Tag a collection."""
        collection = self._named(input)
        have = {tag.name for tag in collection.stored_tags}
        new = [Tag(self.home, tag["tag_name"]) for tag in input["tags"] if tag["tag_name"] not in have]
        collection.stored_tags += new
        return {"tags": collection.stored_tags}

    def delete_artifact_collection_tag_assignments(self, input: Input) -> dict[str, Any]:
        """Take tags away from a collection."""
        collection = self._named(input)
        gone = {tag["tag_name"] for tag in input["tags"]}
        collection.stored_tags = [tag for tag in collection.stored_tags if tag.name not in gone]
        return {"success": True}

    def _named(self, input: Input) -> Collection:
        project = self.home.project(input["entity_name"], input["project_name"])
        found = project.collections.get(input["artifact_collection_name"])
        if found is None:
            raise Refused(f"collection {input['artifact_collection_name']} not found")
        return found


def _take(project: Project, kind: str) -> None:
    if project.is_registry and not project.allow_all_artifact_types_in_registry and kind not in project.types:
        raise Refused(f"registry {project.name} takes no artifacts of type {kind}")

"""What a client says about artifacts while one is written, used and changed."""

from __future__ import annotations

from typing import Any

from .artifacts import Artifact, ArtifactSequence, Collection, Manifest, Tag, type_made
from .errors import Refused
from .paging import Connection, Edge, page
from .projects import Project
from .run_writing import Input
from .state import State


class ArtifactMutations:
    """The mutations that write, use and change artifacts."""

    home: State

    def create_artifact(self, input: Input) -> dict[str, Any]:
        """Begin a version; one with the same content that is there already is answered instead."""
        for key in ("labels", "distributed_id", "storage_region"):
            if input.get(key):
                raise LookupError(f"artifacts with {key} are not known here")
        project = self.home.project_made(input["entity_name"], input["project_name"])
        run = project.run(input["run_name"]) if input.get("run_name") else None
        if input.get("run_name") and run is None:
            raise Refused(f"run {input['run_name']} not found")
        sequence = self._sequence(project, input)
        aliases = [alias["alias"] for alias in input.get("aliases") or ()]
        same = [m.artifact for m in sequence.members if m.artifact.digest == input["digest"]]
        if same and input.get("enable_digest_deduplication"):
            sequence.add(same[0], aliases)
            if run and same[0] not in run.logged:
                run.logged.append(same[0])
            return {"artifact": same[0]}
        artifact = Artifact(
            self.home, sequence, sequence.default_artifact_type, input["digest"],
            description=input.get("description"), metadata=input.get("metadata"),
            history_step=input.get("history_step"), client_id=input.get("client_id"), creator=run,
            wanted=aliases, tags=self._tags(input.get("tags")),
        )  # fmt: skip
        if input.get("ttl_duration_seconds") is not None:
            artifact.ttl_duration_seconds = input["ttl_duration_seconds"]
        if run:
            run.logged.append(artifact)
        return {"artifact": artifact}

    def _sequence(self, project: Project, input: Input) -> ArtifactSequence:
        [name] = input.get("artifact_collection_names") or [input["artifact_collection_name"]]
        kind = type_made(project, input["artifact_type_name"])
        found = project.collections.get(name)
        if found is None:
            found = ArtifactSequence(
                self.home, project, name, kind, client_id=input.get("sequence_client_id")
            )
            project.collections[name] = found
        if not isinstance(found, ArtifactSequence) or found.default_artifact_type is not kind:
            raise Refused(f"{name} exists already, with type {found.default_artifact_type.name}")
        return found

    def _tags(self, wanted: Any) -> list[Tag]:
        return [Tag(self.home, tag["tag_name"]) for tag in wanted or ()]

    def create_artifact_manifest(self, input: Input) -> dict[str, Any]:
        """A place for the list of the files."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        base = self.home.find(Artifact, input["base_artifact_id"]) if input.get("base_artifact_id") else None
        form = input.get("type") or "FULL"
        manifest = Manifest(self.home, artifact, form, input["name"], input["digest"], base)
        artifact.manifests.append(manifest)
        return {"artifactManifest": manifest}

    def update_artifact_manifest(self, input: Input) -> dict[str, Any]:
        """Change what is said of a list of files."""
        manifest = self.home.find(Manifest, input["artifact_manifest_id"])
        manifest.digest = input.get("digest") or manifest.digest
        if input.get("base_artifact_id"):
            manifest.base = self.home.find(Artifact, input["base_artifact_id"])
        return {"artifactManifest": manifest}

    def create_artifact_files(self, input: Input) -> dict[str, Any]:
        """Places to upload files to; none for content that is kept already."""
        if input["storage_layout"] != "V2":
            raise Refused(f"storage layout {input['storage_layout']} is not known")
        nodes = [self._upload(spec) for spec in input["artifact_files"]]
        return {"files": Connection([Edge(node, "") for node in nodes], page([]).page_info, len(nodes))}

    def _upload(self, spec: Input) -> dict[str, Any]:
        artifact = self.home.find(Artifact, spec["artifact_id"])
        place = artifact.place(spec["name"])
        known = self.home.same_content(spec["md5"])
        if known is not None:
            self.home.blobs[place.key] = known
        url = place.direct_url if known is None else None
        return {
            "storagePath": place.key, "uploadUrl": url, "uploadHeaders": [], "uploadMultipartUrls": None,
            "artifact": artifact,
        }  # fmt: skip

    def commit_artifact(self, input: Input) -> dict[str, Any]:
        """Make the version whole: it gets its number and its names."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        artifact.check()
        artifact.state = "COMMITTED"
        artifact.artifact_sequence.add(artifact, artifact.wanted)
        return {"artifact": artifact}

    def update_artifact(self, input: Input) -> dict[str, Any]:
        """Change description, metadata, tags and names."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        for key in ("description", "metadata", "ttl_duration_seconds"):
            if input.get(key) is not None:
                setattr(artifact, key, input[key])
        gone = {tag["tag_name"] for tag in input.get("tags_to_delete") or ()}
        artifact.tags = [tag for tag in artifact.tags if tag.name not in gone]
        artifact.tags += self._tags(input.get("tags_to_add"))
        if input.get("aliases") is not None:
            member = artifact.artifact_sequence.member(artifact)
            if member is None:
                raise Refused("the artifact is not committed")
            member.names.clear()
            for alias in input["aliases"]:
                artifact.artifact_sequence.name_version(member, alias["alias"])
        return {"artifact": artifact}

    def delete_artifact(self, input: Input) -> dict[str, Any]:
        """Delete a version; one with names only if that is said."""
        artifact = self.home.find(Artifact, input["artifact_id"])
        if artifact.aliases and not input.get("delete_aliases"):
            raise Refused("the artifact has aliases")
        for member in list(artifact.members):
            member.artifact_collection.remove(artifact)
        artifact.state = "DELETED"
        return {"artifact": artifact}

    def use_artifact(self, input: Input) -> dict[str, Any]:
        """Note that a run uses an artifact."""
        project = self.home.project(input["entity_name"], input["project_name"])
        run = project.run(input["run_name"])
        artifact = self.home.find(Artifact, input["artifact_id"])
        if run is None or not artifact.committed:
            raise Refused("no such run, or the artifact is not committed")
        if artifact not in run.used:
            run.used.append(artifact)
            artifact.users.append(run)
        return {"artifact": artifact}

    # Collections.

    def _collection(self, wanted: str) -> Collection:
        found: Collection = self.home.find(Collection, wanted)
        return found

    def _changed(self, collection: Collection, input: Input) -> dict[str, Any]:
        if input.get("description") is not None:
            collection.description = input["description"]
        if input.get("name") and input["name"] != collection.name:
            if input["name"] in collection.project.collections:
                raise Refused(f"{input['name']} exists already")
            del collection.project.collections[collection.name]
            collection.name = input["name"]
            collection.project.collections[collection.name] = collection
        return {"artifactCollection": collection}

    def _deleted(self, collection: Collection) -> dict[str, Any]:
        for member in list(collection.members):
            collection.remove(member.artifact)
        del collection.project.collections[collection.name]
        collection.state = "DELETED"
        return {"artifactCollection": collection}

    def update_artifact_sequence(self, input: Input) -> dict[str, Any]:
        """Change name and description."""
        return self._changed(self._collection(input["artifact_sequence_id"]), input)

    def update_artifact_portfolio(self, input: Input) -> dict[str, Any]:
        """Change name and description."""
        return self._changed(self._collection(input["artifact_portfolio_id"]), input)

    def delete_artifact_sequence(self, input: Input) -> dict[str, Any]:
        """Delete a collection with its versions."""
        return self._deleted(self._collection(input["artifact_sequence_id"]))

    def delete_artifact_portfolio(self, input: Input) -> dict[str, Any]:
        """Delete a collection; what was linked into it stays."""
        return self._deleted(self._collection(input["artifact_portfolio_id"]))

    def move_artifact_sequence(self, input: Input) -> dict[str, Any]:
        """Give a collection another type."""
        collection = self._collection(input["artifact_sequence_id"])
        kind = type_made(collection.project, input["destination_artifact_type_name"])
        collection.default_artifact_type = kind
        for member in collection.members:
            member.artifact.artifact_type = kind
        return {"artifactCollection": collection}

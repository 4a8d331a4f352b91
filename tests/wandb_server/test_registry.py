"""Registries: made, linked into, read, changed and searched by W&B's own client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wandb_server import Server

Start = Callable[..., Any]
REGISTRY = "acme-org/wandb-registry-model"


@pytest.fixture
def registry(client: Any, server: Server) -> Any:
    """The registry of models."""
    return client.Api().create_registry("model", visibility="organization", organization="acme")


def log(client: Any, start: Start, content: str, run: str = "r1", link: str | None = None) -> Any:
    """A model version, and a link if one is asked for."""
    artifact = client.Artifact("net", type="model")
    with artifact.new_file("weights.bin") as file:
        file.write(content)
    with start(id=run) as running:
        made = running.log_artifact(artifact)
        if link:
            running.link_artifact(made, link)
        return made.wait()


def test_a_version_is_linked_and_read(
    client: Any, server: Server, start: Start, registry: Any, tmp_path: Path
) -> None:
    """The link is a version of the registry's collection, whose files are the source's."""
    made = log(client, start, "weights", link="wandb-registry-model/mnist")
    linked = client.Api().artifact(f"{REGISTRY}/mnist:v0")
    assert linked.is_link
    assert (linked.source_qualified_name, linked.digest) == ("me/digits/net:v0", made.digest)
    folder = Path(linked.download(root=str(tmp_path / "down")))
    assert (folder / "weights.bin").read_text() == "weights"
    source = client.Api().artifact("me/digits/net:v0")
    assert [a.qualified_name for a in source.linked_artifacts] == [f"{REGISTRY}/mnist:v0"]
    assert server.collections["wandb-registry-model/mnist"].kind == "ArtifactPortfolio"


def test_aliases_move_between_versions(client: Any, server: Server, start: Start, registry: Any) -> None:
    """An alias that another version gets is taken from the one that had it, in the registry alone."""
    for n, text in enumerate("ab"):
        made = log(client, start, text, f"r{n}")
        linked = made.link("wandb-registry-model/mnist", aliases=["staging"])
        assert linked.version == f"v{n}"
    api = client.Api()
    assert sorted(api.artifact(f"{REGISTRY}/mnist:v1").aliases) == ["latest", "staging"]
    first = api.artifact(f"{REGISTRY}/mnist:v0")
    assert first.aliases == []
    first.aliases.append("production")
    first.save()
    assert client.Api().artifact(f"{REGISTRY}/mnist:production").version == "v0"
    again = client.Api().artifact(f"{REGISTRY}/mnist:v1")
    again.aliases.remove("staging")
    again.save()
    assert client.Api().artifact(f"{REGISTRY}/mnist:v1").aliases == ["latest"]
    assert client.Api().artifact("me/digits/net:v0").aliases == []
    again.unlink()
    assert not client.Api().artifact_exists(f"{REGISTRY}/mnist:v1")


def test_a_collection_has_words_and_tags(client: Any, server: Server, start: Start, registry: Any) -> None:
    """Description and tags of a registered collection are saved and read."""
    log(client, start, "a").link("wandb-registry-model/mnist")
    collection = client.Api().artifact_collection("model", f"{REGISTRY}/mnist")
    collection.description, collection.tags = "digits", ["vision", "small"]
    collection.save()
    collection.tags = ["vision"]
    collection.save()
    read = client.Api().artifact_collection("model", f"{REGISTRY}/mnist")
    assert (read.description, read.tags, read.is_sequence()) == ("digits", ["vision"], False)
    assert [v.version for v in read.artifacts()] == ["v0"]
    read.delete()
    assert set(server.collections) == {"digits/net"}


def test_registries_are_searched(client: Any, server: Server, start: Start, registry: Any) -> None:
    """Registries, their collections and the versions in them, with filters at each level."""
    api = client.Api()
    api.create_registry("dataset", visibility="organization", organization="acme")
    one, other = log(client, start, "a", "r1"), log(client, start, "b", "r2")
    one.link("wandb-registry-model/mnist", aliases=["production"])
    other.link("wandb-registry-model/mnist")
    other.link("wandb-registry-model/cifar")
    assert {r.name for r in api.registries(organization="acme")} == {"model", "dataset"}
    found = api.registries(organization="acme", filter={"name": {"$regex": "mod"}})
    assert {c.name for c in found.collections()} == {"mnist", "cifar"}
    assert [c.name for c in found.collections(filter={"name": "mnist"})] == ["mnist"]
    versions = found.collections(filter={"name": "mnist"}).versions()
    assert {v.version for v in versions} == {"v0", "v1"}
    assert [v.source_name for v in found.versions(filter={"alias": "production"})] == ["net:v0"]


def test_a_registry_is_changed_and_deleted(client: Any, server: Server, registry: Any) -> None:
    """Its description is saved, and a deleted one is gone."""
    registry.description, registry.name = "our models", "nets"
    registry.save()
    read = client.Api().registry("nets", organization="acme")
    assert (read.description, read.visibility) == ("our models", "organization")
    read.delete()
    assert not server.state.projects()


def test_a_registry_that_is_not_there(client: Any, server: Server, start: Start) -> None:
    """A link into a registry that nobody made is refused."""
    made = log(client, start, "a")
    with pytest.raises(Exception, match="wandb-registry-none"):
        made.link("wandb-registry-none/x")


def test_a_type_that_a_registry_does_not_take(client: Any, server: Server, start: Start) -> None:
    """A registry for datasets takes no model."""
    client.Api().create_registry(
        "data", visibility="organization", organization="acme", artifact_types=["dataset"]
    )
    made = log(client, start, "a")
    with pytest.raises(client.errors.CommError, match="takes no artifacts of type model"):
        made.link("wandb-registry-data/x")

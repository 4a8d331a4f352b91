"""Artifacts, written and read back by W&B's own client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wandb_server import Server

Start = Callable[..., Any]


def model(client: Any, content: str = "weights", **options: Any) -> Any:
    """An artifact of two files."""
    artifact = client.Artifact("net", type="model", **options)
    with artifact.new_file("weights.bin") as file:
        file.write(content)
    with artifact.new_file("deep/notes é.txt") as file:
        file.write("notes")
    return artifact


def log(start: Start, artifact: Any, run: str = "r1", **options: Any) -> Any:
    """Log it in a run of its own."""
    with start(id=run) as running:
        return running.log_artifact(artifact, **options).wait()


def test_an_artifact_is_read_back_whole(client: Any, server: Server, start: Start, tmp_path: Path) -> None:
    """Files, metadata, description, aliases, tags and digest; the run that logged it."""
    made = model(client, metadata={"acc": 0.5, "deep": {"a": [1]}}, description="first")
    log(start, made, aliases=["best"], tags=["small"])
    read = client.Api().artifact("me/digits/net:best")
    assert (read.version, read.type, read.description, read.state) == ("v0", "model", "first", "COMMITTED")
    assert (read.metadata, read.tags) == ({"acc": 0.5, "deep": {"a": [1]}}, ["small"])
    assert sorted(read.aliases) == ["best", "latest"]
    assert (read.digest, read.size, read.file_count) == (made.digest, 12, 2)
    folder = Path(read.download(root=str(tmp_path / "down")))
    assert (folder / "weights.bin").read_text() == "weights"
    assert (folder / "deep" / "notes é.txt").read_text() == "notes"
    assert {file.name for file in read.files()} == {"weights.bin", "deep/notes é.txt"}
    assert Path(read.get_entry("weights.bin").download(root=str(tmp_path / "one"))).read_text() == "weights"
    assert read.logged_by().id == "r1"
    assert [a.name for a in client.Api().run("me/digits/r1").logged_artifacts()] == ["net:v0"]


def test_versions_and_content_that_is_there(client: Any, server: Server, start: Start) -> None:
    """Other content is the next version, the same content is the version that is there."""
    versions = [log(start, model(client, text), f"r{n}").version for n, text in enumerate("aab")]
    assert versions == ["v0", "v0", "v1"]
    api = client.Api()
    listed = [(a.version, "latest" in a.aliases) for a in api.artifacts("model", "me/digits/net")]
    assert listed == [("v1", True), ("v0", False)]
    assert api.artifact("me/digits/net:v0").digest != api.artifact("me/digits/net").digest
    assert server.calls.count("CommitArtifact") == 2
    kept = [key for key in server.files if key.endswith("notes é.txt")]
    sent = [key for key in server.uploads if key.endswith("notes é.txt")]
    assert (len(kept), len(sent)) == (2, 1)  # both versions have the file, and it was sent once


def test_a_use_is_lineage(client: Any, server: Server, start: Start, tmp_path: Path) -> None:
    """The run that used an artifact stands beside it, and it beside the run."""
    log(start, model(client))
    with start(id="r2") as run:
        used = run.use_artifact("net:latest")
        assert (Path(used.download(root=str(tmp_path / "d"))) / "weights.bin").read_text() == "weights"
    api = client.Api()
    assert [run.id for run in api.artifact("me/digits/net:v0").used_by()] == ["r2"]
    assert [a.name for a in api.run("me/digits/r2").used_artifacts()] == ["net:v0"]
    assert api.artifact("me/digits/net:v0").logged_by().id == "r1"


def test_types_collections_and_projects(client: Any, server: Server, start: Start) -> None:
    """What a project holds can be listed; what is not there is an error, not an answer."""
    log(start, model(client))
    with start(id="r2") as run:
        run.log({"t": client.Table(columns=["x"], data=[[1]])})
    api = client.Api()
    assert {kind.name for kind in api.artifact_types("me/digits")} == {"model", "run_table"}
    assert api.artifact_type("model", "me/digits").name == "model"
    assert [c.name for c in api.artifact_collections("me/digits", "model")] == ["net"]
    collection = api.artifact_collection("model", "me/digits/net")
    assert (collection.name, collection.type, sorted(collection.aliases)) == ("net", "model", ["latest"])
    assert {c.name for c in api.project("digits", "me").collections()} == {"net", "run-r2-t"}
    api.create_project("empty", "me")
    assert {project.name for project in api.projects("me")} == {"digits", "empty"}
    assert api.artifact_exists("me/digits/net:v0")
    assert not api.artifact_exists("me/digits/net:v7")
    with pytest.raises(client.errors.CommError, match="not found"):
        api.artifact("me/digits/other:v0")


def test_a_version_is_changed(client: Any, server: Server, start: Start) -> None:
    """Aliases come and go, description, metadata and tags change; a version can be deleted."""
    log(start, model(client), aliases=["old"])
    artifact = client.Api().artifact("me/digits/net:v0")
    artifact.aliases.append("new")
    artifact.aliases.remove("old")
    artifact.description, artifact.metadata = "other", {"acc": 1}
    artifact.tags = ["t"]
    artifact.save()
    read = client.Api().artifact("me/digits/net:new")
    assert (sorted(read.aliases), read.description, read.metadata, read.tags) == (
        ["latest", "new"], "other", {"acc": 1}, ["t"],
    )  # fmt: skip
    read.delete(delete_aliases=True)
    assert not client.Api().artifact_exists("me/digits/net:v0")


def test_a_collection_is_changed(client: Any, server: Server, start: Start) -> None:
    """Name, description and tags of a collection."""
    log(start, model(client))
    collection = client.Api().artifact_collection("model", "me/digits/net")
    collection.description, collection.name, collection.tags = "nets", "nets", ["x"]
    collection.save()
    collection.change_type("weights")
    read = client.Api().artifact_collection("weights", "me/digits/nets")
    assert (read.description, read.tags) == ("nets", ["x"])
    read.delete()
    assert "digits/nets" not in server.collections


def test_a_table_of_an_artifact(client: Any, server: Server, start: Start) -> None:
    """A table in an artifact comes back as a table; a reference stays one and is not uploaded."""
    artifact = client.Artifact("data", type="dataset")
    artifact.add(client.Table(columns=["x"], data=[[1], [2]]), "rows")
    artifact.add_reference("http://example.org/x", name="far", checksum=False)
    log(start, artifact)
    read = client.Api().artifact("me/digits/data:latest")
    assert read.get("rows").data == [[1], [2]]
    assert read.get_entry("far").ref == "http://example.org/x"
    assert not [key for key in server.files if key.endswith("/far")]


def test_a_reference_into_another_artifact(client: Any, server: Server, start: Start, tmp_path: Path) -> None:
    """A joined table refers to the artifact with its rows, by the server's id for what the client named."""
    table = client.Table(columns=["x"], data=[[1]])
    rows, joined = client.Artifact("rows", type="dataset"), client.Artifact("joined", type="dataset")
    with start(id="r1") as run:
        rows.add(table, "rows")
        run.log_artifact(rows).wait()
        joined.add(client.JoinedTable(table, table, "x"), "joined")
        run.log_artifact(joined).wait()
    read = client.Api().artifact("me/digits/joined:v0")
    refs = {entry.ref for entry in read.manifest.entries.values() if entry.ref}
    assert refs == {f"wandb-artifact://{base64.b64decode(rows.id).hex()}/rows.table.json"}
    assert read.get("joined") is not None
    assert len([key for key in server.uploads if key.endswith("rows.table.json")]) == 1
    assert "ClientIDMapping" in server.calls


def test_what_was_uploaded_must_be_what_was_said(client: Any, server: Server, start: Start) -> None:
    """A commit is refused when a file arrived with other bytes than the manifest says."""
    put = server.state.put
    server.state.put = lambda key, body: put(key, body + b"!" if key.endswith("bin") else body)
    with start(id="r1") as run:
        made = run.log_artifact(model(client))
        with pytest.raises(ValueError, match=r"the manifest says"):
            made.wait()
    assert not any(a.committed for a in server.artifacts.values())


def test_a_step_by_step_table(client: Any, server: Server, start: Start) -> None:
    """A table that is logged in increments has all its rows in the end."""
    with start(id="r1") as run:
        table = client.Table(columns=["x"], log_mode="INCREMENTAL")
        for n in range(3):
            table.add_data(n)
            run.log({"t": table})
    last = server.collections["digits/run-r1-incr-t"].members[-1].artifact
    rows = [row for file in last.entries() for row in json.loads(file.content)["data"]]
    assert sorted(rows) == [[0], [1], [2]]

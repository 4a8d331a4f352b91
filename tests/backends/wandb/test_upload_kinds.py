"""Online: W&B's own client carries media, lineage and surroundings to a server, here one on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wandb_delivery import Delivery, finished, metrics
from wandb_facts import artifact, defines, environment, inputs, model, system, trace
from wandb_values import Values, png

from runcast.plugins import Receipt
from wandb_server import Server

RUN = "0123abcd4567ef89"


REGISTRY = "wandb-registry-model"


def uploaded(server: Server, path: str) -> bytes:
    """A file of the run, as the server got it."""
    content = server.runs[RUN].stored[path].content
    assert content is not None, path
    return content


def by_name(server: Server) -> dict[str, Any]:
    """Name of an artifact → its version at the server."""
    return {made.artifact_sequence.name: made for made in server.artifacts.values()}


def test_media_arrive(online: Delivery, server: Server) -> None:
    """Every value's file is at the server under the path in its row, and charts are in the config."""
    values = Values(online)
    online.deliver([online.started, *values.each(), finished()])
    rows = {row["_step"]: row for row in server.rows(RUN)}
    assert uploaded(server, rows[1]["list"]["filenames"][0]) == png()
    paths = [v["path"] for row in rows.values() for v in row.values() if isinstance(v, dict) and "path" in v]
    assert len(paths) == 11
    for path in paths:
        assert uploaded(server, path)
    marked = rows[2]["val/marked"]
    for inner in (marked["masks"]["pred"], marked["boxes"]["truth"]):
        assert uploaded(server, inner["path"])
    own = server.config(RUN)["_wandb"]
    assert own["visualize"]["cm"]["panel_config"]["panelDefId"] == "wandb/confusion_matrix/v1"
    assert sorted(own["visualize"]) == ["cm", "roc"]
    assert own["viz"]["imp"]["id"] == "wandb/feature_importances/v1"
    assert own["mask/class_labels"]["val/marked_wandb_delimeter_pred"]["value"]["1"] == "cat"
    made = by_name(server)[f"run-{RUN}-table"]
    assert (made.artifact_type.name, made.committed) == ("run_table", True)
    assert json.loads(made.stored("table.table.json").content or b"")["columns"] == ["n", "text", "mixed"]
    assert server.summary(RUN)["hist"]["values"] == [3, 4]


def everything(delivery: Delivery) -> Receipt:
    """A run with one of each; the receipt of its only batch."""
    [receipt] = delivery.deliver(
        [
            delivery.started, environment(delivery), *defines(), *inputs(delivery), system(),
            metrics(0, loss=2.0), metrics(1, loss=1.0), artifact(delivery), model(delivery), trace(),
            finished(),
        ]
    )  # fmt: skip
    return receipt


@pytest.fixture
def registry(server: Server) -> None:
    """The organization's registry of models."""
    server.state.project_made("acme-org", REGISTRY)


def test_surroundings_and_lineage_arrive(online: Delivery, server: Server, registry: None) -> None:
    """Metadata, system metrics, summaries, references, inputs and the link are where W&B's users look."""
    receipt = everything(online)
    metadata = json.loads(uploaded(server, "wandb-metadata.json"))
    assert (metadata["git"]["commit"], metadata["args"], metadata["program"]) == (
        "c0ffee",
        ["--lr", "1"],
        "t.py",
    )
    assert uploaded(server, "requirements.txt") == b"numpy==2.4.6\ntorch==2.13.0\n"
    assert uploaded(server, "diff.patch") == b"--- a\n+++ b\n"
    [events] = [json.loads(line) for line in server.runs[RUN].lines["wandb-events.jsonl"]]
    assert (events["system.gpu.0.gpu"], events["system.cpu"], events["_runtime"]) == (97, 12.5, 3)
    assert server.summary(RUN)["loss"]["best"] == 1
    assert server.summary(RUN)["runcast/traces"]["nrows"] == 2
    made = by_name(server)
    corpus = made["corpus"]
    assert (corpus.description, json.loads(corpus.metadata)) == ("all of it", {"rows": 3})
    assert corpus.contents()["there.bin"]["ref"] == "s3://bucket/there.bin"
    assert {each.artifact_sequence.name for each in server.runs[RUN].used} == {"train", "arrays", "teacher"}
    assert all(each.committed for each in server.artifacts.values())
    log = [record["artifact"] for record in online.inspect() if record["type"] == "artifact"]
    assert {each["name"]: each["digest"] for each in log} == {n: each.digest for n, each in made.items()}
    assert not any("not registered" in change.detail for change in receipt.changes)
    check_link(server)
    online.deliver([finished()])
    assert server.calls.count("LinkArtifact") == 1


def check_link(server: Server) -> None:
    """The version is in the registry's collection under its alias, linked when it was whole."""
    [member] = server.collections[f"{REGISTRY}/digits"].members
    assert member.artifact is by_name(server)["net"]
    assert set(member.names) == {"latest", "champion"}
    last_commit = len(server.calls) - 1 - server.calls[::-1].index("CommitArtifact")
    assert server.calls.index("LinkArtifact") > last_commit


def test_a_registry_that_is_not_there(online: Delivery, server: Server) -> None:
    """The run arrives all the same; that the model is not registered is told with the reason."""
    [receipt] = online.deliver([online.started, model(online), finished()])
    [change] = receipt.changes
    assert "not registered as digits" in change.detail
    assert server.exits == {RUN: 0}

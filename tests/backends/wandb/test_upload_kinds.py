"""Online: W&B's own client carries media, lineage and surroundings to a server, here one on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wandb_delivery import Delivery, finished, metrics
from wandb_facts import artifact, defines, environment, inputs, model, system, trace
from wandb_loopback import Loopback
from wandb_values import Values, png

from runcast.plugins import Receipt

RUN = "0123abcd4567ef89"


class Answers:
    """What the server is asked beside an upload."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self.linked: list[dict[str, Any]] = []
        self.organization: dict[str, Any] | None = {"name": "org", "orgEntity": {"name": "org-entity"}}
        self.refusal = ""

    def use(self, _: Loopback, variables: dict[str, Any]) -> dict[str, Any]:
        """An input was declared."""
        self.used.append(variables["input"]["artifactID"])
        return {"useArtifact": {"artifact": {"id": variables["input"]["artifactID"]}}}

    def link(self, _: Loopback, variables: dict[str, Any]) -> dict[str, Any]:
        """A version was linked to a registry."""
        if self.refusal:
            raise LookupError(self.refusal)
        self.linked.append(variables)
        return {"linkArtifact": {"versionIndex": 0}}

    def info(self, _: Loopback, variables: dict[str, Any]) -> dict[str, Any]:
        """Whose registries they are."""
        return {"entity": {"organization": self.organization, "user": None}}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """A server that knows lineage and registries."""
    made = Answers()
    for operation, method in (
        ("UseArtifact", made.use), ("LinkArtifact", made.link), ("FetchOrgInfoFromEntity", made.info),
    ):  # fmt: skip
        handler = lambda server, variables, method=method: method(server, variables)  # noqa: E731  # bound by setattr
        monkeypatch.setattr(Loopback, f"_on_{operation}", handler, raising=False)
    return made


def uploaded(server: Loopback, path: str) -> bytes:
    """A file of the run, as the server got it."""
    return server.files[f"{RUN}/{path}"]


def by_name(server: Loopback) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name of an artifact → its id and what it was created with."""
    return {made["artifactCollectionName"]: (id, made) for id, made in server.artifacts.items()}


def test_media_arrive(online: Delivery, server: Loopback) -> None:
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
    assert own["viz"]["imp"]["id"] == "wandb/feature_importances/v1"
    assert own["mask/class_labels"]["val/marked_wandb_delimeter_pred"]["value"]["1"] == "cat"
    id, made = by_name(server)[f"run-{RUN}-table"]
    assert (made["artifactTypeName"], made["committed"]) == ("run_table", True)
    assert json.loads(server.files[f"{id}/table.table.json"])["columns"] == ["n", "text", "mixed"]
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


def test_surroundings_and_lineage_arrive(online: Delivery, server: Loopback, answers: Answers) -> None:
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
    [events] = [json.loads(line) for line in server.lines[RUN, "wandb-events.jsonl"]]
    assert (events["system.gpu.0.gpu"], events["system.cpu"], events["_runtime"]) == (97, 12.5, 3)
    assert server.summary(RUN)["loss"]["best"] == 1
    assert server.summary(RUN)["runcast/traces"]["nrows"] == 2
    made = by_name(server)
    id, corpus = made["corpus"]
    assert (corpus["description"], json.loads(corpus["metadata"])) == ("all of it", {"rows": 3})
    manifest = json.loads(server.files[f"manifest/{id}"])["contents"]
    assert manifest["there.bin"]["ref"] == "s3://bucket/there.bin"
    assert sorted(answers.used) == sorted(made[name][0] for name in ("train", "arrays", "teacher"))
    assert all(each["committed"] for each in server.artifacts.values())
    log = [record["artifact"] for record in online.inspect() if record["type"] == "artifact"]
    assert {each["name"]: each["digest"] for each in log} == {
        n: each["digest"] for n, (_, each) in made.items()
    }
    assert not any("not registered" in change.detail for change in receipt.changes)
    check_link(answers.linked, server)
    online.deliver([finished()])
    assert len(answers.linked) == 1


def check_link(linked: list[dict[str, Any]], server: Loopback) -> None:
    """The link names version, organization, registry and aliases, and came when the version was there."""
    [link] = linked
    assert (link["entityName"], link["projectName"]) == ("org-entity", "wandb-registry-model")
    assert link["artifactPortfolioName"] == "digits"
    assert link["aliases"] == [{"artifactCollectionName": "digits", "alias": "champion"}]
    assert link["clientId"] == by_name(server)["net"][1]["clientID"]
    last_commit = len(server.calls) - 1 - server.calls[::-1].index("CommitArtifact")
    assert server.calls.index("LinkArtifact") > last_commit


@pytest.mark.parametrize("why", ["no registry of that name", ""])
def test_a_registry_that_is_not_there(online: Delivery, server: Loopback, answers: Answers, why: str) -> None:
    """The run arrives all the same; that the model is not registered is told with the reason."""
    answers.refusal = why
    if not why:
        answers.organization = None
    [receipt] = online.deliver([online.started, model(online), finished()])
    [change] = receipt.changes
    assert "not registered as digits" in change.detail
    assert (why or "no organization") in change.detail
    assert server.exits == {RUN: 0}

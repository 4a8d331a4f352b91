"""What W&B's own reader finds in the folder of a run that was delivered offline."""

from __future__ import annotations

import json
import math
import stat
import sys
from typing import Any

import pytest
from wandb_delivery import SECOND, START, Delivery, finished, metrics

from runcast.errors import Reject
from runcast.plugins import Change
from runcast.records import Artifact, Lost, Media, Metrics, Note, Params, Record, RunStarted, Tags


def of_kind(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The bodies of the records of one kind."""
    return [record[kind] for record in records if record["type"] == kind]


def test_a_plain_run_looks_as_if_wandb_had_written_it(delivery: Delivery) -> None:
    """Steps, values, times, config, identity, summary and exit are where W&B keeps them, and no more."""
    delivery.deliver(
        [delivery.started, Params(time=START, values={"lr": 0.1, "layers": [1, 2], "opt": {"a": None}})],
        [metrics(0, 1.5, loss=1.0, n=2**53 + 1, ok=True), metrics(3, 2.25, loss=math.nan)],
        [finished()],
    )
    records = delivery.leet()
    assert [record["type"] for record in records] == [
        "header", "run", "files", "config", "history", "history", "config", "summary", "exit",
    ]  # fmt: skip
    assert [record["num"] for record in records] == list(range(1, 10))
    [run] = of_kind(records, "run")
    assert {name: run[name] for name in ("run_id", "project", "display_name", "run_group", "job_type")} == {
        "run_id": "0123abcd4567ef89", "project": "digits", "display_name": "baseline", "run_group": "g",
        "job_type": "train",
    }  # fmt: skip
    assert run["start_time"] == "2023-11-14T22:13:20Z"
    assert of_kind(records, "config")[0]["update"] == {"lr": 0.1, "layers": [1, 2], "opt": {"a": None}}
    first, second = (row["item"] for row in of_kind(records, "history"))
    assert first == {
        "_step": 0, "_timestamp": 1700000001.5, "_runtime": 1.5, "loss": 1, "n": 2**53 + 1, "ok": True,
        "_runcast": '[[0,null,{"loss":"1.0"}]]',
    }  # fmt: skip
    assert second == {
        "_step": 3, "_timestamp": 1700000002.25, "_runtime": 2.25, "loss": "NaN", "_runcast": 128,
    }  # fmt: skip
    summary = delivery.overview()
    assert (summary["state"], summary["exit_code"], summary["step"]) == ("finished", 0, 3)
    assert {name: summary["summary"][name] for name in ("loss", "n", "ok")} == {
        "loss": "NaN", "n": 2**53 + 1, "ok": True,
    }  # fmt: skip


def test_folder_is_wandbs_and_private(delivery: Delivery) -> None:
    """The folder has the name that `wandb sync` looks for, and nobody else may read it."""
    delivery.deliver([delivery.started])
    assert delivery.folder.name.endswith("-0123abcd4567ef89")
    assert (delivery.folder / "files").is_dir()
    assert stat.S_IMODE(delivery.log.stat().st_mode) == 0o600
    assert stat.S_IMODE(delivery.folder.stat().st_mode) == 0o700
    assert delivery.ref is not None
    assert (delivery.ref.url, delivery.ref.command) == (
        str(delivery.folder),
        f"wandb leet run {delivery.folder}",
    )


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        ("finished", 0, "finished"),
        ("failed", 1, "failed"),
        ("crashed", 1, "failed"),
        ("killed", 255, "failed"),
    ],
)
def test_status(delivery: Delivery, status: str, code: int, state: str) -> None:
    """The exit code tells finished from failed; the exact word stands in the config."""
    delivery.deliver([delivery.started, metrics(0, loss=1.0), finished(status)])
    seen = delivery.overview()
    assert (seen["exit_code"], seen["state"], seen["config"]["runcast"]) == (code, state, {"status": status})


def test_records_of_one_step_become_one_row(delivery: Delivery) -> None:
    """Train and validation numbers of one step, said apart and in other batches, stand in one row."""
    delivery.deliver(
        [metrics(5, 1, train__loss=0.5)], [metrics(5, 2, val__loss=0.7), metrics(6, 3, train__loss=0.4)]
    )
    delivery.deliver([metrics(6, 4, val__loss=0.6)], [finished()])
    assert delivery.rows() == [
        {"_step": 5, "_timestamp": 1700000002, "_runtime": 2, "train/loss": 0.5, "val/loss": 0.7},
        {"_step": 6, "_timestamp": 1700000004, "_runtime": 4, "train/loss": 0.4, "val/loss": 0.6},
    ]


def test_a_metric_with_steps_of_its_own_gets_an_axis(delivery: Delivery) -> None:
    """Validation by epoch beside training by iteration: the training axis stays, epochs become an x axis."""
    records: list[Record] = [delivery.started]
    for epoch in range(2):
        records += [metrics(epoch * 3 + i, loss=float(i)) for i in range(3)]
        records.append(metrics(epoch, val__acc=epoch + 0.5))
    delivery.deliver([*records, finished()])
    rows = delivery.rows()
    assert [row["_step"] for row in rows] == list(range(6))
    epochs = [(row["runcast/step/val/acc"], row["val/acc"]) for row in rows if "val/acc" in row]
    assert epochs == [(0, 0.5), (1, 1.5)]
    [defined] = of_kind(delivery.inspect(), "metric")
    assert (defined["name"], defined["step_metric"]) == ("val/acc", "runcast/step/val/acc")


def test_tags_and_notes(delivery: Delivery) -> None:
    """Tags are W&B's strings, the last value wins, the last note too; a long tag is kept in the config."""
    long = "x" * 100
    [receipt] = delivery.deliver(
        [
            Tags(time=START, values={"task": "old", "quick": ""}), Note(time=START, text="first"),
            Tags(time=START, values={"task": "digits", "long": long}), Note(time=START, text="än\nother"),
            finished(),
        ]
    )  # fmt: skip
    seen = delivery.overview()
    assert seen["tags"] == ["task:digits", "quick"]
    assert seen["notes"] == "än\nother"
    assert seen["config"]["runcast"]["tags"] == {"long": long}
    assert [(change.what, change.key) for change in receipt.changes] == [("degraded", "long")]


def test_config_that_wandb_would_change(delivery: Delivery) -> None:
    """NaN and huge integers stay readable as text and are reported; a dict replaces the earlier one."""
    receipt, _ = delivery.deliver(
        [Params(time=START, values={"bad": [math.nan, -math.inf], "big": 2**70, "opt": {"a": 1}})],
        [Params(time=START, values={"opt": {"b": 2}}), finished()],
    )
    config = delivery.overview()["config"]
    assert config["bad"] == ["NaN", "-Infinity"]
    assert int(config["big"], 16) == 2**70
    assert config["opt"] == {"b": 2}
    assert {change.key for change in receipt.changes} == {"bad", "big"}


def test_names_that_wandb_keeps_for_itself(delivery: Delivery) -> None:
    """Reserved, empty and unprintable names arrive under others; the report and the config say which."""
    said = [
        "",
        "_step",
        "_wandb",
        "runcast",
        "runcast/step/x",
        "a\0b",
        "\ud800",
        "plain",
        "dots.in.it",
        "x" * 3000,
    ]
    receipt, _ = delivery.deliver(
        [Metrics(time=START, step=0, values=dict.fromkeys(said, 1.5))], [finished()]
    )
    [row] = delivery.rows()
    mine = {name: value for name, value in row.items() if not name.startswith("_")}
    assert list(mine.values()) == [1.5] * len(said)
    assert {"plain", "dots.in.it"} <= mine.keys()
    assert {change.key for change in receipt.changes if change.what == "renamed"} == {
        name for name in said if name not in ("plain", "dots.in.it")
    }
    keymap = delivery.overview()["config"]["runcast"]["keymap"]
    assert keymap["runcast/_step"] == "_step"
    assert keymap[next(name for name in mine if len(name) > 900)] == "x" * 3000


def test_numbers_beyond_64_bits(delivery: Delivery) -> None:
    """An integer that W&B cannot hold arrives as its nearest float, or as text, and is reported."""
    receipt, _ = delivery.deliver([metrics(0, a=2**63 - 1, b=-(2**63), c=2**63, d=10**400)], [finished()])
    [row] = delivery.rows()
    assert (row["a"], row["b"], row["c"]) == (2**63 - 1, -(2**63), float(2**63))
    assert int(row["d"], 16) == 10**400
    assert [change.key for change in receipt.changes] == ["c", "d"]


def test_a_step_beyond_64_bits_is_rejected_alone(delivery: Delivery) -> None:
    """The message names key and step, and the batch's other parts can still go."""
    backend = delivery.open()
    bad = metrics(2**63, loss=1.0)
    with pytest.raises(Reject, match=rf'step {2**63} of "loss"'):
        backend.deliver([metrics(0, a=1), bad])
    backend.deliver([metrics(0, a=1)])
    backend.deliver([finished()])
    backend.close()
    assert [row["a"] for row in delivery.rows()] == [1]


def test_text(delivery: Delivery) -> None:
    """A text is a value of its row; a very long one becomes a file of the run, and is reported."""
    long = "line\n" * 30_000
    [receipt] = delivery.deliver(
        [
            Media(time=START, key="sample", step=2, type="text", text='he said "hi"'),
            Media(time=START, key="long", step=2, type="text", text=long),
            finished(),
        ]
    )
    [row] = delivery.rows()
    assert row["sample"] == 'he said "hi"'
    assert (delivery.folder / "files" / row["long"]).read_text() == long
    assert [file["path"] for file in of_kind(delivery.inspect(), "files")[1]["files"]] == [row["long"]]
    assert [(change.what, change.key) for change in receipt.changes] == [("spilled", "long")]


def test_artifact(delivery: Delivery) -> None:
    """An artifact has W&B's digests and points at the stored content; illegal names are reported."""
    from wandb import Artifact as Theirs

    file = delivery.blob("weights/model.bin", b"\0\1\2" * 1000)
    artifact = Artifact(
        time=START, name="my model", type="job", files=[file], digest="0" * 64, aliases=["best", "a/b"],
        metadata={"acc": 0.5, "bad": math.nan}, writer="ab" * 8, seq=4,
    )  # fmt: skip
    [receipt] = delivery.deliver([artifact, finished()])
    [seen] = of_kind(delivery.inspect(), "artifact")
    [entry] = seen["manifest"]["contents"]
    theirs = Theirs("my_model", type="model")
    local = delivery.home / "blobs" / file.sha256[:2] / file.sha256
    theirs.add_file(str(local), name="weights/model.bin", policy="immutable", skip_cache=True)
    assert (seen["digest"], entry["digest"]) == (theirs.digest, theirs.manifest.entries[entry["path"]].digest)
    assert (entry["local_path"], entry["size"]) == (str(local), "3000")
    assert (seen["name"], seen["type"], seen["aliases"]) == (
        "my_x20_model",
        "runcast-job",
        ["best", "a_x2f_b", "latest"],
    )
    assert json.loads(seen["metadata"]) == {"acc": 0.5, "bad": "NaN"}
    assert {change.key for change in receipt.changes} == {"my model", "job"}


def test_a_missing_blob_is_rejected_and_named(delivery: Delivery) -> None:
    """An artifact whose content is gone is refused with its path; the run goes on unharmed."""
    file = delivery.blob("f", b"content")
    (delivery.home / "blobs" / file.sha256[:2] / file.sha256).unlink()
    backend = delivery.open()
    gone = Artifact(time=START, name="a", type="t", files=[file], digest="0" * 64)
    with pytest.raises(Reject, match=file.sha256):
        backend.deliver([metrics(0, a=1), gone])
    backend.deliver([metrics(0, a=1), finished()])
    backend.close()
    assert [row["a"] for row in delivery.rows()] == [1]


def test_lost_and_nested(delivery: Delivery) -> None:
    """What was lost is counted in the summary; a nested run names its parent and is grouped by it."""
    started = {name: getattr(delivery.started, name) for name in delivery.started.__struct_fields__}
    delivery.started = RunStarted(**{**started, "group": None, "parent": "feed" * 4})
    delivery.deliver([Lost(time=START, key="x", reason="no number", count=3), finished()])
    seen = delivery.overview()
    assert seen["summary"]["runcast/lost"] == 3
    assert seen["config"]["runcast"]["parent"] == "feed" * 4
    assert of_kind(delivery.inspect(), "run")[0]["run_group"] == "feed" * 4


def test_project_of_the_options_and_illegal_experiments(delivery: Delivery) -> None:
    """The project is the option or the experiment, spelled as W&B allows; the change is reported."""
    started = {name: getattr(delivery.started, name) for name in delivery.started.__struct_fields__}
    delivery.started = RunStarted(**{**started, "experiment": "a/b:c"})
    [receipt] = delivery.deliver([delivery.started])
    assert of_kind(delivery.inspect(), "run")[0]["project"] == "a_x2f_b_x3a_c"
    assert receipt.changes == [Change("renamed", "a/b:c", "a_x2f_b_x3a_c (project)")]


def test_runtime_when_delivered_late(delivery: Delivery) -> None:
    """Times are those of the records, whenever they are delivered."""
    delivery.deliver([metrics(0, 3600, loss=1.0), finished(seconds=7200)])
    [row] = delivery.rows()
    assert (row["_timestamp"], row["_runtime"]) == ((START + 3600 * SECOND) / 1e9, 3600)
    assert of_kind(delivery.inspect(), "exit")[0]["runtime"] == 7200


def test_offline_needs_no_client(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without W&B's package offline runs are written all the same."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    delivery.deliver([delivery.started, metrics(0, loss=1.0), finished()])
    assert delivery.log.stat().st_size > 0

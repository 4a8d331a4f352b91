"""Artifacts, models, inputs, environment, system metrics, summaries and traces, read by W&B's own classes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wandb_delivery import START, Delivery, finished, metrics
from wandb_facts import artifact, defines, environment, inputs, model, system, trace

from runcast.plugins import Change
from runcast.records import Define, Environment, Model


def of_kind(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The bodies of the records of one kind."""
    return [record[kind] for record in records if record["type"] == kind]


def own(records: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """A part of runcast's own config."""
    merged: dict[str, Any] = {}
    for change in of_kind(records, "config"):
        merged.update(change.get("update", {}).get("runcast", {}).get(name, {}))
    return merged


def last_summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The run's last values."""
    return dict(of_kind(records, "summary")[-1]["update"])


def test_references_stay_where_they_are(delivery: Delivery) -> None:
    """A reference is W&B's: URI and digest, nothing copied; W&B's own manifest has the same digest."""
    from wandb import Artifact as Theirs

    delivery.deliver([delivery.started, artifact(delivery), finished()])
    [made] = of_kind(delivery.inspect(), "artifact")
    assert (made["description"], json.loads(made["metadata"])) == ("all of it", {"rows": 3})
    assert made["aliases"] == ["best", "latest"]
    entries = {entry["path"]: entry for entry in made["manifest"]["contents"]}
    assert entries["there.bin"] == {
        "path": "there.bin", "digest": "cd" * 32, "ref": "s3://bucket/there.bin", "size": "9",
    }  # fmt: skip
    assert entries["far.csv"]["digest"] == entries["far.csv"]["ref"] == "https://example.com/far.csv"
    assert Path(entries["here.txt"]["local_path"]).read_bytes() == b"here"
    theirs = Theirs("corpus", "dataset")
    theirs.add_file(entries["here.txt"]["local_path"], name="here.txt")
    assert theirs.manifest.entries["here.txt"].digest == entries["here.txt"]["digest"]


def test_model(delivery: Delivery) -> None:
    """A model is an artifact with all that loads it; offline, that it is not registered is told."""
    [receipt] = delivery.deliver([delivery.started, model(delivery), finished()])
    [made] = of_kind(delivery.inspect(), "artifact")
    assert (made["type"], made["name"], made["aliases"]) == ("model", "net", ["champion", "latest"])
    metadata = json.loads(made["metadata"])
    assert metadata["signature"]["inputs"] == [{"type": "double", "name": "x", "required": True}]
    assert (metadata["flavor"], metadata["step"], metadata["acc"]) == ("sklearn", 7, 0.9)
    assert (metadata["requirements"], metadata["metadata/flavor"]) == (["scikit-learn==1.9.1"], "vanilla")
    files = {entry["path"]: Path(entry["local_path"]) for entry in made["manifest"]["contents"]}
    assert files["model.skops"].read_bytes() == b"weights"
    assert metadata["example"] == {"ndarray": [[1.0]]}
    [change] = receipt.changes
    assert (change.what, change.key) == ("degraded", "net")
    assert "not registered as digits" in change.detail


def test_inputs(delivery: Delivery) -> None:
    """What a run used are artifacts that it has as inputs; what they were used for is in the config."""
    [receipt] = delivery.deliver([delivery.started, *inputs(delivery), finished()])
    records = delivery.inspect()
    train, arrays, teacher = of_kind(records, "artifact")
    assert all(made["use_after_commit"] for made in (train, arrays, teacher))
    assert not any(made.get("aliases") for made in (train, arrays, teacher))
    assert train["manifest"]["contents"] == [
        {"path": "train.csv", "digest": "2" * 64, "ref": "s3://bucket/train.csv"}
    ]
    assert json.loads(train["metadata"])["splits"] == {"train": 9}
    [described] = arrays["manifest"]["contents"]
    assert json.loads(Path(described["local_path"]).read_text())["digest"] == "3" * 64
    [file] = teacher["manifest"]["contents"]
    assert Path(file["local_path"]).read_bytes() == b"teacher"
    assert own(records, "inputs")["teacher"]["run"] == "feed" * 4
    assert own(records, "inputs")["train"]["context"] == "training"
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "arrays")]


def test_an_input_has_the_digest_of_what_was_logged(delivery: Delivery) -> None:
    """The same name, type and files as the run that made it: so a server finds the same version."""
    made = model(delivery)
    from_there = inputs(delivery)[2]
    logged = Model(
        time=START, writer="cd" * 8, seq=1, name="teacher", flavor="onnx", digest="4" * 64,
        files=getattr(from_there, "files", []), example={"json": "x" * 20_000},
    )  # fmt: skip
    [receipt] = delivery.deliver([delivery.started, logged, from_there, made, finished()])
    first, used, other = of_kind(delivery.inspect(), "artifact")
    assert (first["digest"], first["type"], first["name"]) == (used["digest"], used["type"], used["name"])
    assert first["client_id"] != used["client_id"]
    assert other["digest"] != first["digest"]
    spilled = [change.detail.rpartition(" ")[2] for change in receipt.changes if change.what == "spilled"]
    assert json.loads((delivery.folder / spilled[0]).read_text()) == {"json": "x" * 20_000}


def test_environment(delivery: Delivery) -> None:
    """W&B's own record, its files at its places, and every value in the config."""
    delivery.deliver([delivery.started, environment(delivery), finished()])
    records = delivery.inspect()
    [made] = of_kind(records, "environment")
    assert made["git"] == {"remote_url": "https://host/repo.git", "commit": "c0ffee"}
    assert (made["program"], made["args"], made["root"]) == ("t.py", ["--lr", "1"], "/home")
    assert (made["os"], made["python"]) == ("Linux-6.1-x86_64", "cpython 3.11.7")
    assert (made["cpu_count"], made["cpu_count_logical"], made["gpu_count"]) == (4, 8, 1)
    assert made["gpu_nvidia"] == [{"name": "H100", "memory_total": str(80 << 30)}]
    assert (made["host"], made["username"], made["cuda_version"]) == ("box", "ada", "12.4")
    files = delivery.folder / "files"
    assert (files / "requirements.txt").read_text() == "numpy==2.4.6\ntorch==2.13.0\n"
    assert (files / "diff.patch").read_text() == "--- a\n+++ b\n"
    assert next(files.glob("runcast/environment/*/sub/lock.toml")).read_text() == "lock"
    assert own(records, "environment")["seeds"] == {"python": 1}
    told = {f["path"] for each in of_kind(records, "files") for f in each["files"]}
    assert told == {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()}


def test_an_environment_that_is_told_again(delivery: Delivery) -> None:
    """What was found later is added; lists, which W&B would join, stand there once."""
    later = {"gpus": [{"name": "A100"}], "command": {"args": ["x"]}, "user": "bo"}
    found = Environment(time=START, values=later)
    delivery.deliver([delivery.started, environment(delivery)], [found, finished()])
    first, second = of_kind(delivery.inspect(), "environment")
    assert ("args" in first, "args" in second, "gpu_nvidia" in second) == (True, False, False)
    assert (first["username"], second["username"]) == ("ada", "bo")


@pytest.mark.parametrize(
    "values", [{}, {"git": "odd", "gpus": {"a": 1}, "cpu": {"threads": -1}, "command": []}]
)
def test_an_odd_environment(delivery: Delivery, values: dict[str, Any]) -> None:
    """Values of another form do no harm, and are kept."""
    delivery.deliver([delivery.started, Environment(time=START, values=values), finished()])
    assert own(delivery.inspect(), "environment") == values


def test_system_metrics(delivery: Delivery) -> None:
    """W&B's names and units where it has them, at their own time, out of the history."""
    [receipt] = delivery.deliver([delivery.started, system(), finished()])
    records = delivery.inspect()
    [stats] = of_kind(records, "stats")
    assert stats["item"] == {
        "cpu": 12.5, "proc.memory.rssMB": 3, "gpu.0.gpu": 97, "gpu.0.memoryAllocatedBytes": 1 << 30,
        "gpu.0.temp": 61, "energy/kwh": 0.25,
    }  # fmt: skip
    assert stats["timestamp"] == "2023-11-14T22:13:23Z"
    assert receipt.changes == [Change("skipped", "bad", "W&B's system metrics take finite numbers only")]
    assert not delivery.rows()


def test_summaries(delivery: Delivery) -> None:
    """Definitions are W&B's; the summary holds what they ask for, with the step of the best."""
    [receipt] = delivery.deliver(
        [
            delivery.started, *defines(),
            metrics(0, loss=3.0, val__acc=0.5, a__f1=1.0),
            metrics(1, loss=math.nan, val__acc=0.75, a__f1=0.5),
            metrics(2, loss=1.0, val__acc=0.25), metrics(3, loss=2.0, other=4), finished(),
        ]
    )  # fmt: skip
    records = delivery.inspect()
    loss, val = of_kind(records, "metric")
    assert (loss["name"], loss["goal"], sorted(loss["summary"])) == (
        "loss", "GOAL_MINIMIZE", ["best", "last", "max", "mean", "min"],
    )  # fmt: skip
    assert (val["glob_name"], val["goal"], val["summary"]) == ("val/*", "GOAL_MAXIMIZE", {"best": True})
    summary = last_summary(records)
    assert summary["loss"] == {"min": 1, "max": 3, "mean": 2, "best": 1, "best_step": 2, "last": 2}
    assert summary["val/acc"] == {"best": 0.75, "best_step": 1}
    assert (summary["a/f1"], summary["other"]) == ({"max": 1}, 4)
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "*/f1")]


def test_a_summary_survives_a_restart(delivery: Delivery) -> None:
    """What was summed up before the process died counts; the last definition of a name wins."""
    minimum = Define(time=START, key="loss", summary=["min"])
    delivery.deliver([delivery.started, minimum, metrics(0, loss=1)], [metrics(1, loss=5)])
    maximum = msgspec.structs.replace(minimum, summary=["max"])
    delivery.deliver([maximum, metrics(2, loss=2), finished()])
    assert last_summary(delivery.inspect())["loss"] == {"max": 5}


def test_traces(delivery: Delivery) -> None:
    """All spans stand in one table, which W&B's own class reads; redelivery makes none twice."""
    import wandb

    backend = delivery.open()
    backend.deliver([delivery.started, trace()])
    backend.close()  # died before the courier wrote it down
    [receipt] = delivery.deliver([delivery.started, trace(), trace("c" * 32), finished()])
    records = delivery.inspect()
    value = last_summary(records)["runcast/traces"]
    assert (value["_type"], value["nrows"]) == ("table-file", 4)
    [made] = of_kind(records, "artifact")
    said = json.loads(Path(made["manifest"]["contents"][0]["local_path"]).read_text())
    table = wandb.Table.from_json(said, wandb.Artifact("x", "run_table"))
    span = dict(zip(table.columns, table.data[1], strict=True))
    assert (span["trace"], span["parent"], span["name"], span["latency"]) == ("a" * 32, "a" * 16, "chat", 0.5)
    assert (span["model"], span["input_tokens"], span["output_tokens"], span["cost"]) == (
        "small-1",
        3,
        2,
        0.5,
    )
    assert (json.loads(span["inputs"]), span["outputs"]) == ({"messages": ["hi"]}, "hello")
    assert (table.data[0][table.columns.index("error")], span["session"]) == ("E: no", "s")
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "runcast/traces")]


def test_a_run_that_goes_on_has_all_its_traces(delivery: Delivery) -> None:
    """The table of the first part is replaced by one that has the spans of both."""
    delivery.deliver([delivery.started, trace(), finished()])
    delivery.deliver([delivery.started, trace("c" * 32), finished(seconds=90)])
    records = delivery.inspect()
    assert last_summary(records)["runcast/traces"]["nrows"] == 4
    assert len(of_kind(records, "artifact")) == 1


def test_origin(delivery: Delivery) -> None:
    """Where a run was brought from stands in its config."""
    origin = {"tracker": "mlflow", "id": "r1", "url": "http://host/r1", "extra": {"tags": [1]}}
    delivery.deliver([msgspec.structs.replace(delivery.started, origin=origin), finished()])
    assert own(delivery.inspect(), "origin") == origin


def test_wandbs_own_reader_takes_every_record(delivery: Delivery) -> None:
    """`wandb leet inspect` finds no damage in a run that holds everything."""
    delivery.deliver(
        [
            delivery.started, environment(delivery), *defines(), *inputs(delivery), system(),
            metrics(0, loss=1.0), artifact(delivery), model(delivery), trace(), finished(),
        ]
    )  # fmt: skip
    kinds = [record["type"] for record in delivery.leet()]
    assert kinds == [record["type"] for record in delivery.inspect()]
    assert {"environment", "stats", "artifact", "metric", "history", "summary", "exit"} <= set(kinds)

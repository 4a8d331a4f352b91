"""Inputs, environment, system metrics, summaries, traces, references, origin: where MLflow shows each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from runcast.errors import Reject
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Record,
    RunStarted,
    Span,
    System,
    Trace,
)

from .lives import SECOND, START, Life, Store, metrics

Lives = Callable[..., Life]
MS = START // 10**6


def facts(store: Store, kind: str) -> list[dict[str, Any]]:
    """Lines of one kind in the run's residual."""
    lines = map(json.loads, store.files()["runcast/residual.jsonl"].splitlines())
    return [fact for fact in lines if fact["kind"] == kind]


def test_dataset(life: Lives, store: Store) -> None:
    """A dataset is an input of the run, with context, source, schema and profile in MLflow's words."""
    import mlflow

    one = life()
    record = Input(
        time=START,
        name="iris",
        type="dataset",
        context="training",
        digest="a" * 64,
        version="v3",
        source="s3://bucket/iris.csv",
        metadata={
            "schema": [{"type": "double", "name": "x", "required": True}],
            "profile": {"rows": 150, "elements": 600},
            "splits": {"train": 100, "test": 50},
        },
    )
    changes = one.deliver(record, record, one.finished())

    (given,) = store.run().inputs.dataset_inputs
    dataset, tags = given.dataset, {tag.key: tag.value for tag in given.tags}
    assert (dataset.name, dataset.digest, dataset.source_type) == ("iris", "a" * 36, "s3")
    assert json.loads(dataset.schema) == {"mlflow_colspec": record.metadata["schema"]}
    profile = {"num_rows": 150, "num_elements": 600, "splits": {"train": 100, "test": 50}}
    assert json.loads(dataset.profile) == profile
    assert tags["mlflow.data.context"] == "training"
    assert (tags["runcast.digest"], tags["runcast.version"]) == ("a" * 64, "v3")
    assert mlflow.data.get_source(dataset).uri == "s3://bucket/iris.csv"
    assert changes == []
    (fact,) = facts(store, "input")
    assert (fact["metadata"], fact["source"]) == (record.metadata, record.source)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("https://x.org/a.csv", "http"),
        ("/data/a.csv", "local"),
        ("file:///data/a.csv", "local"),
        (None, "code"),
    ],
)
def test_sources(life: Lives, store: Store, source: str | None, kind: str) -> None:
    """Each kind of source is one that ``mlflow.data`` knows."""
    import mlflow

    one = life()
    one.deliver(
        Input(time=START, name="d", type="dataset", source=source, metadata={"schema": [{"tensor-spec": 1}]})
    )

    (given,) = store.run().inputs.dataset_inputs
    assert given.dataset.source_type == kind
    assert mlflow.data.get_source(given.dataset) is not None
    assert list(json.loads(given.dataset.schema)) == ["mlflow_tensorspec"]


def test_used_artifact(life: Lives, store: Store) -> None:
    """An artifact of another run is an input, too; that it is no dataset is reported."""
    one = life()
    file = one.blob("w.bin", b"1")
    record = Input(
        time=START, name="net", type="model", context="input", run="other", version="v2", alias="best",
        digest="b" * 64, files=[file],
    )  # fmt: skip
    (change,) = one.deliver(record, one.finished())

    (given,) = store.run().inputs.dataset_inputs
    tags = {tag.key: tag.value for tag in given.tags}
    assert (tags["runcast.run"], tags["runcast.alias"], tags["runcast.type"]) == ("other", "best", "model")
    assert (change.what, change.key) == ("degraded", "net")
    (fact,) = facts(store, "input")
    assert fact["files"] == [{"path": "w.bin", "sha256": file.sha256, "size": 1, "held": "", "uri": ""}]


def test_environment(life: Lives, store: Store) -> None:
    """Git and the command are MLflow's own tags; one file has everything, the last value of each name."""
    one = life()
    command = {"line": "python train.py --lr 0.1", "script": "train.py"}
    git = {"commit": "c" * 40, "branch": "main", "remote": "https://example.org/x.git", "dirty": True}
    one.deliver(
        Environment(
            time=START,
            values={"git": git, "command": {"line": "old"}, "python": "3.11", "odd": math.inf},
            files=[one.blob("requirements.txt", b"numpy==2\n"), one.blob("diff.patch", b"+x\n")],
        ),
        ack=False,
    )
    one.deliver(
        Environment(time=START, values={"git": git, "command": command, "python": "3.11", "odd": math.inf})
    )
    one.backend = None
    one.deliver(Environment(time=START, values={"python": "3.12"}), one.finished())

    tags, files = store.run().data.tags, store.files()
    assert tags["mlflow.source.git.commit"] == "c" * 40
    assert tags["mlflow.source.git.branch"] == "main"
    assert tags["mlflow.source.git.repoURL"] == "https://example.org/x.git"
    assert (tags["mlflow.source.name"], tags["mlflow.source.type"]) == ("train.py", "LOCAL")
    kept = json.loads(files["runcast/environment/environment.json"])
    assert kept == {"git": git, "command": command, "python": "3.12", "odd": {"$float": "inf"}}
    assert files["runcast/environment/requirements.txt"] == b"numpy==2\n"
    assert files["runcast/environment/diff.patch"] == b"+x\n"


def test_system_metrics(life: Lives, store: Store) -> None:
    """Samples are MLflow's system metrics, in its units, at the time and second of the sample; once each."""
    one = life()
    one.open()
    values = {"cpu/percent": 50.0, "memory/used_bytes": 2_000_000, "gpu/0/percent": 90, "own/thing": 1.5}
    batch = one.numbered([System(time=START + n * 10 * SECOND + 1_000_000, values=values) for n in (1, 2)])
    one.deliver(*batch, ack=False)
    one.deliver(*batch)

    assert store.points("system/cpu_utilization_percentage") == [
        (10, MS + 10_001, 50.0),
        (20, MS + 20_001, 50.0),
    ]
    assert store.points("system/system_memory_usage_megabytes")[0][2] == 2.0
    assert store.points("system/gpu_0_utilization_percentage")[0][2] == 90.0
    assert store.points("system/own/thing")[0][2] == 1.5


def test_summaries(life: Lives, store: Store) -> None:
    """Minimum, best and others are tags at the end, over all batches, exact after a crash; no new metrics."""
    one = life()
    one.open()
    one.deliver(
        metrics(0, **{"val/acc": 0.99}),
        Define(time=START, key="val/*", goal="maximize", summary=["min", "last", "mean"]),
        Define(time=START, key="loss", goal="minimize"),
    )
    second = [metrics(1, **{"val/acc": 0.5}, loss=3.0), metrics(2, **{"val/acc": 0.9}, loss=math.inf)]
    one.deliver(*second, ack=False)
    one.deliver(*second)
    one.deliver(metrics(3, **{"val/acc": math.nan}, loss=1.0), metrics(4, **{"val/acc": 0.7}))
    assert not [tag for tag in store.run().data.tags if tag.startswith("runcast.summary")]
    one.deliver(one.finished())

    run = store.run()
    said = json.loads(run.data.tags["runcast.summary.val/acc"])
    assert said.pop("mean") == pytest.approx(0.7)
    assert said == {
        "goal": "maximize", "best": 0.9, "best_step": 2,
        "min": 0.5, "min_step": 1, "last": 0.7, "last_step": 4,
    }  # fmt: skip
    assert json.loads(run.data.tags["runcast.summary.loss"]) == {
        "goal": "minimize", "best": 1.0, "best_step": 3,
    }  # fmt: skip
    assert set(run.data.metrics) == {"val/acc", "loss"}
    assert [fact["key"] for fact in facts(store, "define")] == ["val/*", "loss"]


def trace(**fields: Any) -> Trace:
    """Two nested calls."""
    outer = Span(
        id="1" * 16,
        name="ask",
        type="chain",
        start=START + 7,
        end=START + 5 * SECOND + 7,
        inputs={"q": "why"},
        outputs=["because", math.inf],
        attributes={"gen_ai.request.model": "m1"},
        events=[{"name": "token", "time": START + 9, "attributes": {"n": 1, "deep": {"a": 1}}}],
    )
    inner = Span(
        id="2" * 16, parent="1" * 16, name="call", type="llm", start=START + SECOND, end=START + 2 * SECOND,
        error="ValueError: no",
        attributes={
            "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4, "gen_ai.usage.cost": 0.25,
        },
    )  # fmt: skip
    fields = {"id": "ab" * 16, **fields}
    return Trace(time=START, spans=[outer, inner], tags={"user": "ada"}, session="s1", **fields)


def check_trace(store: Store, experiment: str = "digits") -> None:
    """The one trace of the one run, through MLflow's client."""
    run = store.run(experiment)
    (found,) = store.client.search_traces(locations=[run.info.experiment_id], run_id=run.info.run_id)
    info = store.client.get_trace(found.info.trace_id).info
    assert info.trace_id == "tr-" + "ab" * 16
    assert (info.request_time, info.execution_duration) == (MS, 5000)
    assert info.tags["user"] == "ada"
    assert info.trace_metadata["mlflow.trace.session"] == "s1"
    outer, inner = sorted(found.data.spans, key=lambda span: span.span_id)
    assert (outer.span_id, outer.parent_id, outer.name, outer.span_type) == ("1" * 16, None, "ask", "CHAIN")
    assert (outer.start_time_ns, outer.end_time_ns) == (START + 7, START + 5 * SECOND + 7)
    assert (outer.inputs, outer.outputs) == ({"q": "why"}, ["because", {"$float": "inf"}])
    assert outer.get_attribute("gen_ai.request.model") == "m1"
    (event,) = outer.events
    assert (event.name, event.timestamp, event.attributes["n"]) == ("token", START + 9, 1)
    assert (inner.parent_id, inner.status.description) == ("1" * 16, "ValueError: no")
    assert inner.get_attribute("gen_ai.usage.input_tokens") == 3
    assert info.token_usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert info.cost["total_cost"] == 0.25


def test_trace(life: Lives, store: Store) -> None:
    """A trace has its own ids, times, errors and links, and is stored once however often it comes."""
    one = life()
    one.deliver(trace(), ack=False)
    changes = one.deliver(trace())

    check_trace(store)
    assert changes == []


def test_empty_trace(life: Lives) -> None:
    """A trace without spans is refused by its id."""
    with pytest.raises(Reject, match="ab has no spans"):
        life().deliver(msgspec.structs.replace(trace(), spans=[]))


def test_references(life: Lives, store: Store) -> None:
    """A file that stays elsewhere is listed with its URI; description, aliases and metadata are there."""
    one = life()
    files = [one.blob("a.txt", b"a"), FileRef("big.bin", "", 0, uri="s3://bucket/big.bin")]
    record = Artifact(
        time=START, name="data", type="dataset", files=files, digest="d" * 64, aliases=["best"],
        metadata={"n": 1}, description="two files",
    )  # fmt: skip
    (change,) = one.deliver(record, one.finished())

    kept = store.files()
    assert kept["data/a.txt"] == b"a"
    assert "data/big.bin" not in kept
    (entry,) = json.loads(kept["runcast/artifacts/data.json"])
    assert (entry["description"], entry["aliases"], entry["metadata"]) == ("two files", ["best"], {"n": 1})
    reference = {"path": "big.bin", "uri": "s3://bucket/big.bin", "sha256": "", "size": 0}
    assert entry["references"] == [reference]
    assert (change.what, change.key) == ("degraded", "data")
    assert "no aliases, metadata and descriptions of artifacts" in change.detail


def test_origin(life: Lives, store: Store) -> None:
    """Where a run was brought from is in tags, and in whole in the residual."""
    one = life()
    origin = {"tracker": "wandb", "id": "abc", "url": "https://example.org/abc", "extra": {"sweep": "s"}}
    started = RunStarted(time=START, run=one.id, experiment="digits", name="sgd", origin=origin)
    one.deliver(started, one.finished())

    tags = store.run().data.tags
    assert [tags[f"runcast.origin.{part}"] for part in ("tracker", "id", "url")] == [
        "wandb", "abc", "https://example.org/abc",
    ]  # fmt: skip
    (start,) = facts(store, "start")
    assert start["origin"] == origin


def everything(one: Life) -> list[Record]:
    """One record of each new kind."""
    return [
        Define(time=START, key="loss", goal="minimize"),
        metrics(0, loss=1.0),
        System(time=START + SECOND, values={"cpu/percent": 1.0}),
        Input(time=START, name="iris", type="dataset", digest="a" * 64),
        Environment(time=START, values={"python": "3"}, files=[one.blob("requirements.txt", b"x\n")]),
        trace(),
        one.finished(),
    ]


@pytest.mark.parametrize("point", ["log_inputs", "log_artifact", "log_batch", "set_terminated"])
@pytest.mark.parametrize("after", [False, True])
def test_crash_at_each_point(life: Lives, store: Store, point: str, after: bool) -> None:
    """Wherever the process dies, the run is in the end as if it had not."""
    clean = life(experiment="clean")
    clean.open()
    clean.deliver(*clean.numbered(everything(clean)))
    one = life(experiment="crashed")
    one.open()
    assert one.backend is not None
    call = getattr(one.backend._client, point)

    class Died(BaseException):
        pass

    def dies(*args: Any, **kwargs: Any) -> Any:
        if after:
            call(*args, **kwargs)
        raise Died

    setattr(one.backend._client, point, dies)
    batch = one.numbered(everything(one))
    with pytest.raises(Died):
        one.deliver(*batch)
    one.backend = None
    one.deliver(*batch)

    def seen(experiment: str) -> dict[str, Any]:
        found = store.everything(experiment)
        found["inputs"] = [given.dataset.name for given in store.run(experiment).inputs.dataset_inputs]
        for own in ("run_id", "run_uuid", "experiment_id", "artifact_uri"):
            found["info"].pop(own, None)
        found["tags"] = {k: v for k, v in found["tags"].items() if k not in ("runcast.run_id",)}
        return found

    assert seen("crashed") == seen("clean")

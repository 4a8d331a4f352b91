"""Every kind of record over HTTP, with the files in S3: a real ``mlflow server`` beside a stand-in for S3."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import mlflow
import pytest
from moto.server import ThreadedMotoServer

from runcast.backends.mlflow.client import prepare
from runcast.errors import Halt, Retry
from runcast.records import Artifact

from .lives import START, Life, Store
from .servers import Dropper, MlflowServer, free_port
from .test_kinds import check_trace, everything, trace
from .test_media import media, picture
from .test_models import sklearn_model

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
pytestmark = [
    pytest.mark.slow,
    # botocore and moto among themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*type hint is inferred:UserWarning"),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of the stand-in, in which the bucket ``runs`` is."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client(f"http://{host}:{port}").create_bucket(Bucket="runs")
    yield f"http://{host}:{port}"
    server.stop()


def client(endpoint: str) -> Any:
    """A client of the stand-in."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in, which this process takes for S3."""
    for name, value in {**KEYS, "MLFLOW_S3_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    return client(endpoint)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, fresh_database: bytes, endpoint: str
) -> Iterator[MlflowServer]:
    """One server for the module, whose artifacts are in the bucket."""
    prepare(10)
    folder = tmp_path_factory.mktemp("s3server")
    (folder / "mlflow.db").write_bytes(fresh_database)
    server = MlflowServer(folder, free_port(), "s3://runs/root", MLFLOW_S3_ENDPOINT_URL=endpoint, **KEYS)
    server.start()
    yield server
    server.stop()


def keys(s3: Any) -> set[str]:
    """Every object in the bucket."""
    return {entry["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="runs")
            for entry in page.get("Contents", [])}  # fmt: skip


def test_every_kind_over_http(server: MlflowServer, s3: Any, tmp_path: Path) -> None:
    """MLflow's client sees over HTTP what it sees in a database; the files are objects in the bucket."""
    one = Life(tmp_path, server.uri, experiment="kinds")
    table = json.dumps({"columns": ["c"], "data": [[1], [2]]}).encode()
    batch = [
        media(one, "image", {"a.png": picture()}),
        media(one, "table", {"t.table.json": table}),
        Artifact(time=START, name="data", type="file", files=[one.blob("a/b.txt", b"b")], digest="d" * 64),
        sklearn_model(one, register_as="kinds", aliases=["champion"]),
        *everything(one),
    ]
    one.open()
    one.deliver(*one.numbered(batch), ack=False)
    one.deliver(*one.numbered(batch))

    store = Store(server.uri)
    run = store.run("kinds")
    files = store.files("kinds")
    assert files["data/a/b.txt"] == b"b"
    assert files["media/table/x/y/3.json"] == table
    assert len([path for path in files if path.startswith("images/")]) == 2
    assert [given.dataset.name for given in run.inputs.dataset_inputs] == ["iris"]
    assert store.points("system/cpu_utilization_percentage", "kinds") == [(1, START // 10**6 + 1000, 1.0)]
    assert json.loads(run.data.tags["runcast.summary.loss"])["best"] == 1.0
    check_trace(store, "kinds")
    assert any(key.startswith("root/") and key.endswith("data/a/b.txt") for key in keys(s3))
    (version,) = store.client.search_model_versions("name = 'kinds'")
    assert len(run.outputs.model_outputs) == 1
    mlflow.set_tracking_uri(server.uri)
    try:
        model = mlflow.pyfunc.load_model("models:/kinds@champion")
    finally:
        mlflow.set_tracking_uri(None)
    assert version.source == f"models:/{model.metadata.model_id}"


@pytest.mark.parametrize("path", [b"logged-models", b"model-versions/create", b"runs/outputs", b"/v1/traces"])
def test_answer_that_is_lost(server: MlflowServer, tmp_path: Path, path: bytes) -> None:
    """An answer that never came makes no second model, version, output or trace."""
    name = f"lost-{len(path)}"
    dropper = Dropper(server.port, path)
    one = Life(tmp_path, dropper.uri, experiment=name)
    one.open()
    batch = [sklearn_model(one, register_as=name), trace()]
    with pytest.raises(Retry):
        one.deliver(*one.numbered(batch))
    one.backend = None
    one.deliver(*one.numbered(batch))
    dropper.close()

    assert dropper.dropped.is_set()
    store = Store(server.uri)
    run = store.run(name)
    experiment = run.info.experiment_id
    assert len(store.client.search_logged_models([experiment])) == 1
    assert len(store.client.search_model_versions(f"name = '{name}'")) == 1
    assert len(run.outputs.model_outputs) == 1
    assert len(store.client.search_traces(locations=[experiment])) == 1


def test_experiment_of_its_own_in_s3(s3: Any, sqlite: str, tmp_path: Path) -> None:
    """With ``artifact_location``, the backend itself writes to S3, and again changes nothing."""
    one = Life(tmp_path, sqlite)
    one.options = {"artifact_location": "s3://runs/direct"}
    file = one.blob("a.txt", b"a")
    record = Artifact(time=START, name="data", type="file", files=[file], digest="d" * 64)
    one.deliver(record, ack=False)
    one.deliver(record, one.finished())

    store = Store(sqlite)
    assert store.run().info.artifact_uri.startswith("s3://runs/direct/")
    assert store.files()["data/a.txt"] == b"a"
    assert len([key for key in keys(s3) if key.startswith("direct/") and key.endswith("data/a.txt")]) == 1


@pytest.mark.parametrize("place", ["nowhere", "runs"])
def test_bucket_that_is_gone_or_away(
    s3: Any, sqlite: str, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that does not exist pauses the backend and is named; one that is away is tried again."""
    if place == "runs":
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    one = Life(tmp_path, sqlite)
    one.options = {"artifact_location": f"s3://{place}/x"}
    record = Artifact(time=START, name="data", type="file", files=[one.blob("a", b"a")], digest="d" * 64)
    with pytest.raises(Halt if place == "nowhere" else Retry, match=r"bucket|does not answer"):
        one.deliver(record)

"""A real ``mlflow server``, written by the backend and read over plain HTTP."""

from __future__ import annotations

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast.errors import Halt, Retry
from runcast.records import Artifact, Media, Note, Params, Tags

from .lives import START, Life, metrics
from .servers import Dropper, MlflowServer, free_port

MS = START // 10**6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fresh_database: bytes) -> Iterator[MlflowServer]:
    """One server for the module."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(fresh_database)
    server = MlflowServer(folder, free_port())
    server.start()
    yield server
    server.stop()


def call(server: MlflowServer, path: str, body: object = None, **query: str) -> Any:
    """One request to MLflow's REST interface."""
    url = f"{server.uri}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def runs(server: MlflowServer, experiment: str) -> list[Any]:
    """Every run of an experiment."""
    found = call(server, "experiments/get-by-name", experiment_name=experiment)["experiment"]
    return list(call(server, "runs/search", {"experiment_ids": [found["experiment_id"]]}).get("runs", []))


def history(server: MlflowServer, run_id: str, key: str) -> list[tuple[int, int, Any]]:
    """(step, ms, value) of one metric; an endpoint that is not paged unless asked."""
    found = call(server, "metrics/get-history", run_id=run_id, metric_key=key)["metrics"]
    return [(int(m.get("step", 0)), int(m["timestamp"]), m["value"]) for m in found]


def pairs(entries: list[dict[str, str]]) -> dict[str, str]:
    """Params or tags as a dict."""
    return {entry["key"]: entry.get("value", "") for entry in entries}


def download(server: MlflowServer, run: Any, path: str) -> bytes:
    """One artifact file through the server."""
    place = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    url = f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/{place}/{urllib.parse.quote(path)}"
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


def test_a_whole_run_over_http(server: MlflowServer, tmp_path: Path) -> None:
    """Run, params, points with step and time, tags, note, files and status are there over HTTP."""
    one = Life(tmp_path, server.uri, experiment="digits/ä")
    ref = one.open()
    one.deliver(
        Params(time=START, values={"lr": 0.1, "empty": ""}),
        *(metrics(step, loss=1 / (step + 3)) for step in range(5)),
        metrics(9, nan=math.nan, up=math.inf),
        Tags(time=START, values={"task": "x", "flag": ""}),
        Note(time=START, text="note"),
        Media(time=START, key="samples", step=2, type="text", text="ü"),
        Artifact(
            time=START, name="m", type="model", files=[one.blob("a/m 1+(x).bin", b"M")], digest="1" * 64
        ),
        Artifact(time=START, name="m", type="model", files=[one.blob("a/#m?.bin", b"N")], digest="2" * 64),
        one.finished(),
    )

    (run,) = runs(server, "digits/ä")
    info, data = run["info"], run["data"]
    assert ref.id == info["run_id"]
    assert ref.url == f"{server.uri}/#/experiments/{info['experiment_id']}/runs/{ref.id}"
    assert (info["status"], int(info["start_time"]), int(info["end_time"])) == ("FINISHED", MS, MS + 60_000)
    assert pairs(data["params"]) == {"lr": "0.1", "empty": ""}
    assert history(server, ref.id, "loss") == [(step, MS + 1000 * step, 1 / (step + 3)) for step in range(5)]
    assert history(server, ref.id, "nan")[0][2] == "NaN"
    assert history(server, ref.id, "up")[0][2] == 1.7976931348623157e308
    tags = pairs(data["tags"])
    assert (tags["task"], tags["flag"], tags["mlflow.note.content"], tags["mlflow.runName"]) == (
        "x", "", "note", "sgd",
    )  # fmt: skip
    assert download(server, run, "text/samples/2.txt").decode() == "ü"
    assert download(server, run, "m/a/m 1+(x).bin") == b"M"
    assert download(server, run, "m@v2/a/_x23_m_x3f_.bin") == b"N"
    assert json.loads(download(server, run, "runcast/artifacts/m.json"))[1]["files"][0]["path"] == "a/#m?.bin"


def test_a_lost_answer_to_create_run(server: MlflowServer, tmp_path: Path) -> None:
    """The server made the run, and we never heard of it: the next attempt adopts that one."""
    proxy = Dropper(server.port, b"/runs/create")
    one = Life(tmp_path, proxy.uri, experiment="lost answer")
    with pytest.raises(Retry):
        one.open()
    assert proxy.dropped.is_set()
    one.deliver(metrics(0, loss=1.0), one.finished())
    proxy.close()

    (run,) = runs(server, "lost answer")
    assert run["info"]["run_id"] == one.state["run_id"]
    assert history(server, one.state["run_id"], "loss") == [(0, MS, 1.0)]


@pytest.mark.parametrize("path", [b"/experiments/create", b"/runs/log-batch", b"/runs/update"])
def test_any_other_lost_answer(server: MlflowServer, tmp_path: Path, path: bytes) -> None:
    """Whatever answer is lost, the same batch again makes the run whole, and nothing twice."""
    experiment = f"lost {path.decode()}"
    proxy = Dropper(server.port, path)
    one = Life(tmp_path, proxy.uri, experiment=experiment)
    batch = one.numbered([metrics(0, loss=1.0), metrics(1, loss=2.0), one.finished()])
    with pytest.raises(Retry):
        one.deliver(*batch)
    assert proxy.dropped.is_set()
    one.backend = None
    one.deliver(*batch)
    proxy.close()

    (run,) = runs(server, experiment)
    assert run["info"]["status"] == "FINISHED"
    assert len(history(server, run["info"]["run_id"], "loss")) == 2


def test_a_server_that_goes_and_comes_back(server: MlflowServer, tmp_path: Path) -> None:
    """While it is away, the batch is to be tried again; afterwards everything is there once."""
    one = Life(tmp_path, server.uri, experiment="away")
    first, second = one.numbered([metrics(0, loss=1.0), metrics(1, loss=2.0)])
    one.deliver(first)
    server.stop()
    with pytest.raises(Retry, match=f"{server.uri} does not answer"):
        one.deliver(second)
    with pytest.raises(Retry):
        one.open()
    server.start()
    one.backend = None
    one.deliver(second)

    assert history(server, one.state["run_id"], "loss") == [(0, MS, 1.0), (1, MS + 1000, 2.0)]


def test_a_deleted_run(server: MlflowServer, tmp_path: Path) -> None:
    """A run that somebody deleted meanwhile stops the backend, with the way to restore it."""
    one = Life(tmp_path, server.uri, experiment="deleted")
    one.open()
    call(server, "runs/delete", {"run_id": one.state["run_id"]})
    mend = f"mlflow runs restore --run-id {one.state['run_id']}"
    with pytest.raises(Halt, match=mend):
        one.deliver(metrics(0, loss=1.0))
    one.backend = None
    with pytest.raises(Halt, match=mend):
        one.open()
    call(server, "runs/restore", {"run_id": one.state["run_id"]})
    one.deliver(metrics(0, loss=1.0))

    assert len(history(server, one.state["run_id"], "loss")) == 1

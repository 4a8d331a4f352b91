"""examples/serving over HTTP. MLflow and W&B are configured and down all the time, which each test proves."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections import Counter
from statistics import median

import pytest

from runcast.courier.report import report
from runcast.journal import Layout
from runcast.model_registry import ModelRegistry

from .conftest import ROW, Server, send, until

pytestmark = pytest.mark.slow


def test_a_prediction_is_the_models_own(server: Server, registry: ModelRegistry) -> None:
    """Scores and classes over HTTP are those of the version that it names, called directly."""
    import pandas as pd

    rows = [ROW, {**ROW, "mean radius": 25.0}, dict(reversed(ROW.items()))]

    answer = server.predict(rows)

    model = registry.load(answer["model"])
    frame = pd.DataFrame(rows)
    assert answer["predictions"] == model.predict(frame).tolist()
    assert answer["scores"] == pytest.approx(model.predict_proba(frame)[:, 1].tolist(), abs=1e-12)
    assert len(set(answer["predictions"])) == 2
    assert answer["model"] == f"tumour:v{server.info()['version']}"


def test_model_info_is_what_the_registry_says(server: Server, registry: ModelRegistry) -> None:
    """Name, version, stage, digest, metrics, columns."""
    version = registry.get("tumour/production")
    until(lambda: server.info()["version"] == version.version, "it has the version in production")

    info = server.info()

    assert (info["name"], info["stage"], info["registry"]) == ("tumour", "production", "local")
    assert (info["digest"], info["trained_by"]) == (version.digest, version.run)
    assert info["metrics"] == version.metrics
    assert info["metrics"]["auc"] > 0.9
    assert (info["columns"], info["problem"]) == (list(ROW), None)


def test_a_promotion_is_served_without_a_restart(server: Server, registry: ModelRegistry) -> None:
    """While a client asks without a pause, rollback and promotion arrive; each answer is of one version."""
    before = registry.get("tumour/production").version
    other = 3 - before
    models = {f"tumour:v{number}": registry.load(f"tumour:v{number}") for number in (1, 2)}
    process = server.process
    answers = []

    for wanted in (other, before):
        registry.promote(f"tumour:v{wanted}", "production")

        def arrived(model: str = f"tumour:v{wanted}") -> bool:
            answers.append(server.predict([ROW]))
            return answers[-1]["model"] == model

        until(arrived, "the promoted version answers")

    import pandas as pd

    expected = {name: model.predict_proba(pd.DataFrame([ROW]))[0, 1] for name, model in models.items()}
    assert expected["tumour:v1"] != pytest.approx(expected["tumour:v2"])
    for answer in answers:
        assert answer["scores"] == pytest.approx([expected[answer["model"]]])
    assert server.process is process
    assert process is not None
    assert process.poll() is None


def test_every_request_under_load_is_answered(server: Server) -> None:
    """4 clients × 100 requests at once, with trackers that are down: all answered, none of them waited."""
    body = json.dumps({"rows": [ROW]}).encode()
    statuses: list[int] = []
    seconds: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(100):
            began = time.perf_counter()
            status, _ = send(connection, "POST", "/predict", body)
            seconds.append(time.perf_counter() - began)
            statuses.append(status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    server.answered += len(statuses)
    assert Counter(statuses) == {200: 400}
    assert median(seconds) < 0.5


def test_a_registry_that_is_down_changes_nothing(server: Server) -> None:
    """The model in memory goes on; /model_info says what is the matter, and no longer when it is over."""
    home = server.folder / ".runcast"
    before = server.info()
    (home / "registry.db").rename(home / "away")
    (home / "registry.db").mkdir()
    try:
        problem = until(lambda: server.info()["problem"], "it notices")
        assert server.predict([ROW])["model"] == f"tumour:v{before['version']}"
    finally:
        (home / "registry.db").rmdir()
        (home / "away").rename(home / "registry.db")

    assert "registry.db" in problem
    until(lambda: server.info()["problem"] is None, "it is over")


GOOD = json.dumps(ROW)
ROWS = ('{"rows": [', "]}")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("nonsense", "JSON decode error"),
        ("[]", "body"),
        ("{}", "body.rows: Field required"),
        ('{"rows": []}', "at least 1 item"),
        (f'{{"rows": [{",".join([GOOD] * 101)}]}}', "at most 100 items"),
        ('{"rows": [{"mean radius": NaN}]}', "body.rows.0.mean radius: Input should be a finite number"),
        ('{"rows": [{"mean radius": 1e999}]}', "finite number"),
        (f'{{"rows": [{{"mean radius": 1{"0" * 400}}}]}}', "valid number"),
        ('{"rows": [{"mean radius": "14.1"}]}', "valid number"),
        ('{"rows": [{"mean radius": true}]}', "valid number"),
        (f'{{"rows": [{GOOD}, {{"mean radius": 1, "age": 2}}]}}', "row 1: missing columns"),
        (f'{{"rows": [{GOOD}, {{"mean radius": 1, "age": 2}}]}}', "unknown columns ['age']"),
    ],
)
def test_a_wrong_question_is_refused_in_words(server: Server, body: str, said: str) -> None:
    """422 and a sentence, never 500."""
    status, answer = server.ask("POST", "/predict", body.encode())

    assert status == 422, answer
    assert said in answer["detail"]
    assert len(answer["detail"]) < 600


def test_numbers_beyond_the_model_are_refused(server: Server, registry: ModelRegistry) -> None:
    """Where the model in production answers NaN, the client gets 422, and the windows get nothing."""
    registry.promote("tumour:v2", "production")
    until(lambda: server.info()["version"] == 2, "naive Bayes answers, which has no score for these")

    status, answer = server.ask("POST", "/predict", GOOD.replace("14.1", "1e308").join(ROWS).encode())

    assert (status, answer["detail"].partition(":")[0]) == (422, "the model has no score for these rows")


def test_the_windows_hold_every_request(server: Server) -> None:
    """Stopped as services are stopped, all is in the local catalog: counts, latencies, scores, drift."""
    for row in ({**ROW, "mean radius": 40.0}, ROW):
        for _ in range(25):
            server.predict([row, row])
    assert server.stop() in (0, -signal.SIGTERM)

    runs = server.windows()
    points = [run.history() for run in runs]
    assert sum(value for of in points for _, _, value in of["requests"]) == server.answered
    predictions = sum(value for of in points for _, _, value in of["predictions"])
    scores = [one for run in runs for one in run.media() if one.type == "histogram"]
    assert sum(one.data["num"] for one in scores) == predictions
    assert len(scores) == sum(len(of["requests"]) for of in points)
    for of in points:
        keys = {"latency_ms/p50", "latency_ms/p95", "latency_ms/p99", "drift/score", "drift/mean radius"}
        assert keys <= of.keys()
        quantiles = zip(of["latency_ms/p50"], of["latency_ms/p95"], of["latency_ms/p99"], strict=True)
        assert all(0 < p50[2] <= p95[2] <= p99[2] for p50, p95, p99 in quantiles)
        assert {version for _, _, version in of["version"]} <= {1, 2}
    assert max(value for of in points for _, _, value in of["drift/mean radius"]) > 0.25
    assert [run.losses() for run in runs] == [[] for _ in runs]
    for run in runs:
        waiting = {b.backend: b.pending for b in report(Layout(run.home), run.id).backends}
        assert min(waiting["mlflow"], waiting["wandb"]) > waiting["local"] == 0
    assert "Traceback" not in server.log

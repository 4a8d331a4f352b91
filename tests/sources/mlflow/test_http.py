"""A real ``mlflow server``, read through MLflow's own client."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runcast.backends.mlflow import MlflowBackend
from runcast.journal import Blobs
from runcast.migrate import migrate, prepare
from runcast.migrate.content import Content
from runcast.migrate.verify import verify
from runcast.plugins.source import Selection
from runcast.sources.mlflow import MlflowSource
from runcast.testing import golden
from runcast.testing.courier import Courier

from ...faults.proxy import Answer, network, refusal
from ...support.listening import only_on_loopback

pytestmark = pytest.mark.slow


@pytest.fixture
def server(database: Callable[..., Path]) -> Iterator[str]:
    """The URI of a server that keeps files itself."""
    folder = database().parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **quiet}, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + 90
    while not _answers(f"http://127.0.0.1:{port}/health"):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    only_on_loopback(process.pid)
    yield f"http://127.0.0.1:{port}"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_a_server(server: str, tmp_path: Path) -> None:
    """A run of runcast's comes back whole, and one of MLflow's own with its history and files."""
    from mlflow import MlflowClient

    courier = Courier(MlflowBackend, {"uri": server}, tmp_path / "own", golden.varied()).play()
    client = MlflowClient(server)
    run = client.create_run(client.create_experiment("theirs"), run_name="plain")
    for step in range(3):
        client.log_metric(run.info.run_id, "loss", step / 4, timestamp=1_700_000_000_000, step=step)
    client.log_text(run.info.run_id, "x", "a/b/c.txt")
    client.set_terminated(run.info.run_id)
    source = MlflowSource(server)
    blobs = Blobs(tmp_path / "read")

    found = {run.name: list(source.read(run, blobs)) for run in source.runs(Selection())}
    id_, nowhere = run.info.run_id, "f" * 32
    assert [r.name for r in source.runs(Selection(runs=(nowhere, id_)))] == ["plain"]
    assert list(source.runs(Selection(runs=(id_,), experiment="other"))) == []
    assert list(source.runs(Selection(runs=("../no id",)))) == []
    client.delete_run(id_)
    assert list(source.runs(Selection(runs=(id_,)))) == []
    source.close()

    said, back = Content.of(courier.records), Content.of(found["sgd"])
    for part in ("head", "params", "tags", "note", "series", "others"):
        assert getattr(back, part) == getattr(said, part), part
    plain = Content.of(found["plain"])
    assert plain.series["metric", "loss"].count == 3
    assert plain.others.keys() == {("artifact", "a")}


def test_several_runs_are_read_at_once(server: str, tmp_path: Path) -> None:
    """By threads: each run arrives with its own points and files."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(server)
    experiment = client.create_experiment("many")
    for number in range(12):
        run = client.create_run(experiment, run_name=f"run {number}").info.run_id
        client.log_batch(run, [Metric("loss", number + step, 1_700_000_000_000, step) for step in range(50)])
        client.log_text(run, f"of {number}", "note.txt")
        client.set_terminated(run)
    plan = prepare(f"mlflow:{server}", f"local:{tmp_path / 'there'}", tmp_path / "rc")
    progress = migrate(plan, jobs=6)
    assert (progress.delivered, progress.failed, progress.points) == (12, 0, 600)
    results = list(verify(plan))
    assert len(results) == 12
    assert not [result for result in results if not result.ok]


def test_a_busy_server_is_asked_again_when_it_says(tmp_path: Path) -> None:
    """Two refusals with ``Retry-After``: the third question comes that much later, and is answered."""
    asked: list[float] = []

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(time.monotonic())
            busy = len(asked) <= 2
            self.send_response(429 if busy else 200)
            if busy:
                self.send_header("Retry-After", "1")
            body = b"{}"
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = MlflowSource(f"http://127.0.0.1:{server.server_address[1]}")
        assert list(source.runs(Selection())) == []
        source.close()
        server.shutdown()
    assert len(asked) == 4  # two were refused; experiments are asked for twice
    assert all(later - earlier >= 1 for earlier, later in pairwise(asked[:3]))


def test_files_of_a_busy_server_are_not_gone(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose files are refused for now has failed, with the reason; the next call brings all of it."""
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    client = MlflowClient(server)
    run = client.create_run(client.create_experiment("theirs"), run_name="plain").info.run_id
    client.log_metric(run, "loss", 0.5)
    client.log_text(run, "what it holds", "a/b.txt")
    client.set_terminated(run)
    with network(urlsplit(server).port or 0) as net:
        answer, busy = net.answer, True

        def refuse(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
            return refusal(503) if busy and "artifacts" in path else answer(method, path, headers, body)

        monkeypatch.setattr(net, "answer", refuse)
        prepared = prepare(f"mlflow:{net.uri}", f"local:{tmp_path / 'to'}", root=tmp_path / "rc")
        assert migrate(prepared).failed == 1
        (entry,) = prepared.manifest.runs.values()
        assert (entry.state, "cannot be read" in entry.reason) == ("failed", True)
        busy = False
        assert migrate(prepared).delivered == 1

    (kept,) = [path for path in (tmp_path / "to" / "blobs").rglob("*") if path.is_file()]
    assert kept.read_text() == "what it holds"


def test_several_readers_leave_a_busy_server_alone(server: str, tmp_path: Path) -> None:
    """One is told to wait two seconds: none of them asks anything in that time; every run arrives."""
    from mlflow import MlflowClient

    client = MlflowClient(server)
    experiment = client.create_experiment("theirs")
    for _ in range(4):
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "loss", 0.5)
        client.set_terminated(run)
    asked: list[float] = []
    with network(urlsplit(server).port or 0) as net:
        answer = net.answer

        def refuse(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
            asked.append(time.monotonic())
            if len(asked) == 20:
                return refusal(429, Retry_After="2")
            return answer(method, path, headers, body)

        net.answer = refuse  # type: ignore[method-assign]
        command = [sys.executable, "-c", "from runcast.cli import main; main()", "migrate"]
        command += [f"mlflow:{net.uri}", f"local:{tmp_path / 'to'}", "--jobs", "3"]
        told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "4 runs brought" in told
    assert len(asked) > 25
    later = [moment - asked[19] for moment in asked[20:]]
    # Requests of the two other readers may have been on their way.
    assert [moment for moment in later if 0.2 < moment < 1.9] == []
    assert len([moment for moment in later if moment <= 0.2]) <= 2


def test_patience_with_servers_ends_with_the_last_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads ask at once: who is done first takes no patience from the other, and none is left over."""
    variable = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    monkeypatch.setenv(variable, "0")
    asked, done = threading.Event(), threading.Event()
    then: list[str] = []

    class First(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.wait()
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST

        def wait(self) -> None:
            asked.wait(timeout=30)

        def log_message(self, *args: object) -> None:
            pass

    class Second(First):
        def wait(self) -> None:
            asked.set()
            done.wait(timeout=30)
            then.append(os.environ[variable])

    def read(server: http.server.ThreadingHTTPServer) -> None:
        source = MlflowSource(f"http://127.0.0.1:{server.server_address[1]}")
        assert list(source.runs(Selection())) == []
        source.close()

    with contextlib.ExitStack() as stack:
        readers = []
        for handler in (First, Second):
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            readers.append(threading.Thread(target=read, args=(server,)))
            readers[-1].start()
        readers[0].join()
        done.set()
        readers[1].join()
    assert set(then) == {"3"}
    assert os.environ[variable] == "0"

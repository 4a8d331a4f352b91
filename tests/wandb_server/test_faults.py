"""Faults on demand, and what W&B's own client makes of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from wandb_server import Server

Start = Callable[..., Any]

QUICK = {
    f"x_{part}_retry_wait_{end}_seconds": 1  # whole seconds: the client cuts the rest off
    for part in ("file_stream", "graphql", "file_transfer")
    for end in ("min", "max")
}
"""Settings with which the client tries again soon."""


def losses(server: Server) -> list[float]:
    """What arrived of the run."""
    return [row["loss"] for row in server.rows("r1")]


def test_errors_while_streaming_lose_nothing(server: Server, start: Start) -> None:
    """Two answers of 500 to streamed lines: the client tries again, all rows are there once."""
    run = start(id="r1", settings=QUICK)
    server.fail(2, on="file_stream", status=500)
    for n in range(50):
        run.log({"loss": n})
    run.finish()
    assert losses(server) == list(range(50))
    assert [operation for operation, _ in server.faults.happened] == ["file_stream"] * 2


def test_a_limit_is_respected(server: Server, start: Start) -> None:
    """429 with Retry-After: the client waits that long before it comes again."""
    run = start(id="r1", settings=QUICK)
    server.fail(1, on="file_stream", status=429, retry_after=2)
    run.log({"loss": 1.0})
    server.wait_for(lambda: server.faults.happened)
    before = time.monotonic()
    server.wait_for(lambda: losses(server))
    assert time.monotonic() - before > 1.5
    run.finish()


def test_a_refused_key(client: Any, server: Server, start: Start) -> None:
    """401: the client gives up at once, at the beginning of a run."""
    server.fail(status=401)
    with pytest.raises(client.errors.CommError, match="told to fail"):
        start(id="r1", settings=QUICK)
    server.heal()
    start(id="r2").finish()
    assert server.exits == {"r2": 0}


def test_an_error_of_one_operation(client: Any, server: Server, start: Start) -> None:
    """An error of GraphQL names its cause to the user."""
    server.fail(on="UpsertBucket", message="the database sleeps")
    with pytest.raises(client.errors.Error, match="the database sleeps"):
        start(id="r1", settings=QUICK)


def test_an_artifact_upload_that_fails_once(client: Any, server: Server, start: Start) -> None:
    """A file whose upload failed is sent again, and the version is whole."""
    server.fail(1, on="upload", status=503)
    artifact = client.Artifact("net", type="model")
    with artifact.new_file("w") as file:
        file.write("weights")
    with start(id="r1", settings=QUICK) as run:
        assert run.log_artifact(artifact).wait().version == "v0"
    assert server.faults.happened


def test_slow_answers_do_not_slow_the_script(server: Server, start: Start) -> None:
    """Lines that are taken a second late: logging goes on, and all arrives."""
    run = start(id="r1", settings=QUICK)
    server.slow(1.0, times=1, on="file_stream")
    before = time.monotonic()
    for n in range(50):
        run.log({"loss": n})
    logged = time.monotonic() - before
    server.wait_for(lambda: server.faults.happened)
    run.finish()
    assert logged < 1.0 < time.monotonic() - before
    assert losses(server) == list(range(50))


def turn_away(server: Server) -> None:
    """Wait until the client comes to the dead server's port, and hang up on it."""
    with socket.create_server(("127.0.0.1", urlsplit(server.url).port)) as door:
        door.settimeout(20)
        door.accept()[0].close()


def test_a_server_that_dies_and_comes_back(server: Server, start: Start) -> None:
    """Killed in the middle of a run, back on the same port with what it knew: the run arrives whole."""
    run = start(id="r1", settings=QUICK)
    run.log({"loss": 0})
    server.wait_for(lambda: losses(server) == [0])
    server.stop()
    for n in range(1, 100):
        run.log({"loss": n})
    turn_away(server)
    server.start()
    run.finish()
    assert losses(server) == list(range(100))
    assert server.exits == {"r1": 0}


def test_a_server_that_stays_away(server: Server, start: Start) -> None:
    """Nobody listens any more: the end of the run comes back after its time limit, not never."""
    run = start(id="r1", settings=QUICK, finish_timeout=1)
    server.stop()
    run.log({"loss": 1})
    before = time.monotonic()
    run.finish()
    assert time.monotonic() - before < 10
    assert server.exits == {}

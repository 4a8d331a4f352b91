"""Online: W&B's own client carries the folder to a server, here one on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from wandb_delivery import SECOND, START, Delivery, client, finished, metrics

from runcast.errors import Halt, Retry
from runcast.records import Artifact, Metrics, Params, Record, Tags
from wandb_server import Server

RUN = "0123abcd4567ef89"


def whole(delivery: Delivery) -> list[Record]:
    """A short run from start to end, with an artifact."""
    file = delivery.blob("weights.bin", b"weights")
    return [
        delivery.started,
        Params(time=START, values={"lr": 0.1}),
        Tags(time=START, values={"task": "digits"}),
        metrics(0, 1, loss=1.0),
        metrics(7, 2, loss=0.5),
        metrics(1, 3, val__acc=0.25),
        Artifact(time=START, name="model", type="model", files=[file], digest="0" * 64, aliases=["best"]),
        finished("failed"),
    ]


def check(server: Server) -> None:
    """Everything of `whole` is at the server."""
    assert [(row["_step"], row["_timestamp"], row["_runtime"]) for row in server.rows(RUN)] == [
        (step, (START + seconds * SECOND) / 1e9, seconds) for step, seconds in ((0, 1), (7, 3))
    ]
    assert server.rows(RUN)[1]["runcast/step/val/acc"] == 1
    assert server.exits == {RUN: 1}
    run = server.runs[RUN]
    assert (run.project.name, run.display_name, run.group, run.job_type) == (
        "digits", "baseline", "g", "train",
    )  # fmt: skip
    assert run.tags == ["task:digits"]
    assert server.config(RUN)["lr"] == 0.1
    assert server.config(RUN)["runcast"]["status"] == "failed"
    assert server.summary(RUN)["loss"] == 0.5
    [(key, artifact)] = server.artifacts.items()
    assert artifact.committed
    assert artifact.artifact_sequence.name == "model"
    assert server.files[f"{key}/weights.bin"] == b"weights"


def test_a_run_arrives_at_its_end(online: Delivery, server: Server) -> None:
    """The call that delivers the run's end returns when all of it is at the server; the key is in no file."""
    online.deliver(whole(online))
    check(server)
    assert online.ref is not None
    assert online.ref.url == f"{server.url}/me/digits/runs/{RUN}"
    mine = [path for folder in ("wandb", "private") for path in (online.home / folder).rglob("*")]
    assert not [path for path in mine if path.is_file() and b"fakefake" in path.read_bytes()]


def test_delivered_again_is_not_uploaded_again(online: Delivery, server: Server) -> None:
    """What has arrived is not sent again, even with the memory lost; only owner and numbers are asked for."""
    online.deliver(whole(online))
    server.calls.clear()
    online.state = {}
    online.deliver(whole(online))
    assert set(server.calls) == {"Viewer", "Numbers"}
    check(server)


def test_live_rows_arrive_before_the_end(
    online: Delivery, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With live upload the first rows are at the server while the run goes on, the rest at its end."""
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "1")
    online.options["live"] = True
    records = whole(online)
    backend = online.open()
    backend.deliver(records[:5])
    server.wait_for(lambda: server.rows(RUN))
    assert not server.exits
    backend.deliver(records[5:])
    backend.close()
    check(server)


def test_a_dead_server_is_a_retry_and_the_run_arrives_later(online: Delivery, server: Server) -> None:
    """Records before the end are taken without a server; the end is acknowledged only when it has arrived."""
    records = whole(online)
    server.fail(status=503)
    online.deliver(records[:4])
    with pytest.raises(Retry, match="503"):
        online.deliver(records[4:])
    server.heal()
    online.deliver(records[4:])
    check(server)


def test_a_refused_key_halts_at_once(online: Delivery, server: Server) -> None:
    """HTTP 401 names the server and both ways to mend it, and never shows the key."""
    server.fail(status=401)
    with pytest.raises(Halt, match=r"refuses the key: run `wandb login.*WANDB_API_KEY") as caught:
        online.open()
    assert "fakefake" not in str(caught.value)


def test_a_key_refused_at_the_end_halts(online: Delivery, server: Server) -> None:
    """A key that stops being valid in mid-run halts the delivery when the upload is due."""
    backend = online.open()
    server.fail(status=401)
    with pytest.raises(Halt, match="refuses the key"):
        backend.deliver(whole(online))
    backend.close()


def test_names_with_dots_keep_their_axis(online: Delivery, server: Server) -> None:
    """A dotted name with steps of its own: W&B's client, to which a bare dot is nesting, changes nothing."""
    dotted = Metrics(time=START, step=1, values={"val.acc": 0.5})
    online.deliver([online.started, metrics(0, loss=1.0), metrics(5, loss=1.0), dotted, finished()])
    assert server.rows(RUN)[1] == {
        "_step": 5, "_timestamp": START / 1e9, "_runtime": 0, "loss": 1, "val.acc": 0.5,
        "runcast/step/val.acc": 1, "_runcast": '[[0,["loss"],{"loss":"1.0"}],[0,["val.acc"],null]]',
    }  # fmt: skip
    named = {metric["1"] for metric in server.config(RUN)["_wandb"]["m"]}
    assert named == {"val\\.acc", "runcast/step/val\\.acc"}


@pytest.mark.parametrize(
    ("message", "answer"), [("the database sleeps", Retry), ("permission denied to access digits", Halt)]
)
def test_an_upload_that_the_server_refuses(
    online: Delivery, server: Server, message: str, answer: type[Exception]
) -> None:
    """What W&B's client was told is in the message; missing rights halt, anything else is tried again."""
    server.fail(on="UpsertBucket", message=message)
    with pytest.raises(answer, match=message):
        online.deliver(whole(online))
    server.heal()
    online.deliver(whole(online))
    check(server)


def test_the_client_dies_with_its_starter(online: Delivery, server: Server) -> None:
    """A worker that is killed outright leaves no upload behind."""
    online.options["live"] = True
    (online.home / "options.json").write_text(json.dumps(online.options))
    code = """
import json, os, sys
from pathlib import Path
sys.path.append(sys.argv[1])
from wandb_delivery import Delivery, metrics
home = Path(sys.argv[2])
(home / "private").rmdir()
delivery = Delivery(home)
delivery.options = json.loads((home / "options.json").read_text())
delivery.open().deliver([delivery.started, metrics(0, loss=1.0)])
os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(online.home)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as starter:
        assert starter.wait(timeout=30) == -9
    for pid in uploaders(online.folder):
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            assert select.select([descriptor], [], [], 10)[0]
            os.close(descriptor)
    assert not uploaders(online.folder)


def test_close_ends_the_client(online: Delivery, server: Server) -> None:
    """Closing in mid-run leaves no process of W&B's behind, soon."""
    online.options["live"] = True
    backend = online.open()
    backend.deliver(whole(online)[:4])
    server.wait_for(lambda: RUN in server.runs)
    assert len(uploaders(online.folder)) == 1
    backend.close()
    assert not uploaders(online.folder)


def test_a_run_that_goes_on_is_uploaded_whole(online: Delivery, server: Server) -> None:
    """After a second part the server has the new rows and the new end; the folder is one."""
    server.state.count_override = 0  # a server that lets the client overwrite its lines
    online.deliver(whole(online))
    online.deliver([online.started, metrics(8, 70, loss=0.25), finished(seconds=80)])
    assert [row["_step"] for row in server.rows(RUN)] == [0, 7, 8]
    assert server.exits == {RUN: 0}
    assert online.log.with_name(online.log.name + ".synced").exists()


def test_the_command_of_an_offline_run_uploads_it(
    delivery: Delivery, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wandb sync FOLDER` brings an offline run to a server."""
    delivery.deliver(whole(delivery))
    monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    assert delivery.ref is not None
    words = ["wandb", "sync", delivery.ref.url]
    environment = {**os.environ, "WANDB_ERROR_REPORTING": "false", "WANDB_DIR": str(delivery.home)}
    subprocess.run([client(), *words[1:]], env=environment, capture_output=True, check=True)
    check(server)


def uploaders(folder: Path) -> list[int]:
    """Processes that upload a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if str(folder).encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found

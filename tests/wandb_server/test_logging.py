"""W&B's own client logs to the stand-in, and its own public interface reads it back."""

from __future__ import annotations

import json
import sys
import wave
from collections.abc import Callable
from typing import Any

import numpy as np

from wandb_server import Server

Start = Callable[..., Any]


def test_a_run_is_read_back_exactly(client: Any, server: Server, start: Start) -> None:
    """Config, tags, notes, group, every row of the history and the summary come back as they were logged."""
    config = {"lr": 0.1, "layers": [1, 2], "opt": {"name": "adam"}, "none": None}
    with start(
        id="r1", name="baseline", config=config, tags=["a", "b"], notes="why", group="g", job_type="t"
    ) as run:
        for step in range(1200):
            run.log({"loss": 1 / (step + 1), "epoch": step // 100})
        run.summary["best"] = 7

    read = client.Api().run("me/digits/r1")
    assert read.config == config
    assert (read.name, read.tags, read.notes, read.group, read.job_type) == (
        "baseline",
        ["a", "b"],
        "why",
        "g",
        "t",
    )
    assert (read.state, read.summary["best"], read.summary["epoch"]) == ("finished", 7, 11)
    rows = list(read.scan_history(keys=["_step", "loss", "epoch"], page_size=500))
    assert rows == [{"_step": n, "loss": 1 / (n + 1), "epoch": n // 100} for n in range(1200)]
    assert len(list(read.scan_history(min_step=10, max_step=20))) == 10
    sample = read.history(samples=50, keys=["loss"], pandas=False)
    assert len(sample) == 50
    assert (sample[0]["_step"], sample[-1]["_step"]) == (0, 1199)
    assert read.lastHistoryStep == 1199
    assert server.authorizations == {
        "Basic " + "YXBpOmZha2VmYWtlZmFrZWZha2VmYWtlZmFrZWZha2VmYWtlZmFrZWZha2U="
    }


def test_a_failed_run_and_its_words(client: Any, server: Server, start: Start) -> None:
    """The exit code makes the state; console lines, system metrics and alerts arrive."""
    run = start(id="r1", console="wrap_raw", settings={"x_stats_sampling_interval": 0.1})
    print("said on stdout")
    print("said on stderr", file=sys.stderr)
    run.alert("hot", "very hot", level="WARN")
    run.log({"loss": float("nan")})
    run.finish(exit_code=3)

    read = client.Api().run("me/digits/r1")
    assert read.state == "failed"
    assert server.exits == {"r1": 3}
    lines = list(read.console_logs())
    assert {line.content.strip() for line in lines} >= {"said on stdout", "said on stderr"}
    assert [(a["title"], a["text"], a["severity"]) for a in server.runs["r1"].alerts] == [
        ("hot", "very hot", "WARN")
    ]
    assert np.isnan(server.rows("r1")[0]["loss"])


def test_system_metrics_are_read_back(client: Any, server: Server) -> None:
    """The machine's numbers that the client samples are the run's system metrics."""
    settings = client.Settings(silent=True, console="off", x_stats_sampling_interval=0.1, disable_git=True)
    with client.init(project="digits", id="r1", settings=settings):
        server.wait_for(lambda: "r1" in server.runs and server.runs["r1"].events_line_count)
    read = client.Api().run("me/digits/r1")
    assert any(key.startswith("system.") for key in read.system_metrics)
    assert read.history(stream="events", pandas=False)
    assert read.metadata["python"]


def test_media_are_stored_and_read_back(client: Any, server: Server, start: Start) -> None:
    """Images, tables, pages, histograms and sounds: the file under the row's path is the one logged."""
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    with start(id="r1") as run:
        run.log({
            "image": client.Image(pixels, caption="c"),
            "table": client.Table(columns=["x", "y"], data=[[1, "a"], [2, "b"]]),
            "page": client.Html("<b>hi</b>"),
            "weights": client.Histogram([1, 2, 2, 3]),
        })  # fmt: skip
        run.log({"chart": client.plot.line(client.Table(columns=["s", "v"], data=[[0, 1]]), "s", "v")})

    read = client.Api().run("me/digits/r1")
    [row] = [row for row in read.scan_history() if "image" in row]
    assert row["weights"]["_type"] == "histogram"
    assert (row["image"]["_type"], row["image"]["caption"]) == ("image-file", "c")
    with read.file(row["table"]["path"]).download(replace=True) as file:
        assert json.load(file) == {"columns": ["x", "y"], "data": [[1, "a"], [2, "b"]]}
    names = {file.name for file in read.files()}
    assert {row[key]["path"] for key in ("image", "table", "page")} <= names
    assert [file.name for file in read.files(pattern="media/html/%")] == [row["page"]["path"]]
    assert b"hi" in server.runs["r1"].stored[row["page"]["path"]].content


def test_sounds(client: Any, server: Server, start: Start, tmp_path: Any) -> None:
    """A sound is stored as the file that the row names."""
    with wave.open(str(tmp_path / "tone.wav"), "wb") as tone:
        tone.setparams((1, 2, 8000, 0, "NONE", ""))
        tone.writeframes(bytes(200))
    with start(id="r1") as run:
        run.log({"tone": client.Audio(str(tmp_path / "tone.wav"))})
    path = server.rows("r1")[0]["tone"]["path"]
    assert server.runs["r1"].stored[path].content == (tmp_path / "tone.wav").read_bytes()


def test_files_of_a_run(client: Any, server: Server, start: Start, tmp_path: Any) -> None:
    """Files saved by the run and uploaded later are listed in pages, downloaded and deleted."""
    with start(id="r1") as run:
        for n in range(5):
            (tmp_path / f"f{n}.txt").write_text(f"content {n}")
            run.save(str(tmp_path / f"f{n}.txt"), base_path=str(tmp_path))
    read = client.Api().run("me/digits/r1")
    (tmp_path / "late.txt").write_text("later")
    read.upload_file(str(tmp_path / "late.txt"), root=str(tmp_path))
    files = read.files(per_page=2)
    assert {"f0.txt", "f4.txt", "late.txt"} <= {file.name for file in files}
    with read.file("f3.txt").download(root=str(tmp_path / "down")) as file:
        assert file.read() == "content 3"
    read.file("f3.txt").delete()
    assert "f3.txt" not in {file.name for file in client.Api().run("me/digits/r1").files()}


def test_an_offline_run_is_synced(client: Any, server: Server, start: Start, command: Any) -> None:
    """`wandb sync` and `wandb beta sync` bring offline runs over whole."""
    for words, name in (("sync",), "r1"), (("beta", "sync"), "r2"):
        run = start(id=name, mode="offline", config={"lr": 0.5})
        run.log({"loss": 1.0})
        run.log({"loss": 0.5})
        folder = str(run.dir).removesuffix("/files")
        run.finish()
        client.teardown()
        command(*words, folder)
        read = client.Api().run(f"me/digits/{name}")
        assert (read.config, read.state) == ({"lr": 0.5}, "finished")
        assert [row["loss"] for row in read.scan_history()] == [1, 0.5]


def test_a_run_goes_on(client: Any, server: Server, start: Start) -> None:
    """A run that is resumed keeps its rows and its config, and goes on behind them."""
    with start(id="r1", config={"lr": 0.5}) as run:
        run.log({"loss": 1.0})
    with start(id="r1", resume="must") as run:
        assert run.resumed
        assert run.config["lr"] == 0.5
        run.log({"loss": 0.5})
    assert [(row["_step"], row["loss"]) for row in server.rows("r1")] == [(0, 1), (1, 0.5)]


def test_a_run_is_rewound(client: Any, server: Server, start: Start) -> None:
    """A run that goes on from an earlier step has lost the rows behind it."""
    with start(id="r1") as run:
        for n in range(6):
            run.log({"loss": n})
    with start(resume_from="r1?_step=2") as run:
        run.log({"loss": 30})
    assert [(row["_step"], row["loss"]) for row in server.rows("r1")] == [(0, 0), (1, 1), (2, 2), (3, 30)]


def test_a_state_that_is_said(client: Any, server: Server) -> None:
    """A run can be made without logging, and its state be said by another process."""
    made = client.Api().create_run(project="digits", entity="me", run_id="r1")
    assert made.update_state("failed")
    assert client.Api().run("me/digits/r1").state == "failed"


def test_changes_by_the_public_interface(client: Any, server: Server, start: Start) -> None:
    """Name, tags, notes, config and summary of a finished run can be changed; so can its existence."""
    start(id="r1", config={"lr": 0.5}).finish()
    run = client.Api().run("me/digits/r1")
    run.name, run.tags, run.notes = "better", ["x"], "n"
    run.config["lr"] = 1.5
    run.update()
    run.summary["score"] = 3
    run.summary.update()
    again = client.Api().run("me/digits/r1")
    assert (again.name, again.tags, again.notes, again.config) == ("better", ["x"], "n", {"lr": 1.5})
    assert again.summary["score"] == 3
    again.delete()
    assert server.runs == {}


def test_a_run_that_is_stopped_from_outside(client: Any, server: Server, start: Start) -> None:
    """The stop that another one asks for is what the run's next lines are answered with."""
    start(id="r1").finish()
    client.Api().run("me/digits/r1").stop()
    assert server.streamed(server.runs["r1"], {}) == {"stopped": True}

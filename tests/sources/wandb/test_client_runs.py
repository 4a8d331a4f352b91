"""Runs that W&B's own client wrote, offline."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wandb_reading import differences, find, fingerprint, read

from runcast.journal import Blobs
from runcast.records import (
    Artifact,
    Define,
    Environment,
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Tags,
)
from runcast.sources.wandb import folder

SETTINGS = """
import os, sys, time
import numpy as np, wandb
s = wandb.Settings(silent=True, console=CONSOLE, disable_git=True, disable_code=True, x_disable_stats=True,
    x_save_requirements=False, x_transaction_log_flush_interval=0.1)
run = wandb.init(project="digits", id="abc", name="first", mode="offline", settings=s, group="g",
    job_type="train", tags=["a", "b:c"], notes="why",
    config={"lr": 0.1, "n": 3, "opt": {"name": "adam", "x": [1, 2.5]}, "none": None, "flag": True})
"""
TRAIN = """
run.define_metric("val/*", step_metric="epoch", summary="max")
for step in range(20):
    bad = float("nan") if step % 2 else float("-inf")
    run.log({"loss": 1 / (step + 1), "n": step, "bad": bad, "a": {"b": step}})
run.log({"epoch": 1, "val/acc": 0.5, "ok": True, "said": "some text", "list": [1, 2]}, step=25)
pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
box = {"position": {"minX": 0.1, "maxX": 0.2, "minY": 0.1, "maxY": 0.3}, "class_id": 1, "box_caption": "cat"}
image = wandb.Image(pixels, caption="a cat",
    masks={"m": {"mask_data": np.zeros((4, 4), dtype=np.uint8), "class_labels": {0: "sky"}}},
    boxes={"b": {"box_data": [{**box, "scores": {"p": 0.5}}], "class_labels": {1: "cat"}}})
run.log({"image": image, "images": [wandb.Image(pixels, caption="x"), wandb.Image(pixels)]}, step=30)
run.log({"table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [float("nan"), None]]),
    "histogram": wandb.Histogram([1, 2, 2, 3]), "html": wandb.Html("<b>x</b>"),
    "cloud": wandb.Object3D(np.zeros((5, 3)))}, step=31)
run.summary["best"] = 0.75
run.summary["words"] = "well"
artifact = wandb.Artifact("weights", type="model", description="d", metadata={"epoch": 3})
with artifact.new_file("w.bin", mode="wb") as f:
    f.write(b"weights")
artifact.add_reference("s3://bucket/key", checksum=False)
run.log_artifact(artifact, aliases=["best"])
with open("notes.txt", "w") as f:
    f.write("saved")
run.save("notes.txt", policy="now")
print("printed")
run.finish(exit_code=CODE)
wandb.teardown()
"""


def script(home: Path, text: str, **values: Any) -> subprocess.Popen[str]:
    """A script of its own with W&B's client."""
    for name, value in {"CONSOLE": "off", "CODE": 0, **values}.items():
        text = text.replace(name, repr(value))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.Popen(
        [sys.executable, "-c", text], cwd=home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**environment, "WANDB_DATA_DIR": str(home / "data"), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of many kinds."""
    home = tmp_path_factory.mktemp("trained")
    done = script(home, SETTINGS + TRAIN, CONSOLE="wrap", CODE=3)
    _, said = done.communicate(timeout=120)
    assert done.returncode == 0, said
    return home


def of(records: list[Record], kind: type) -> list[Any]:
    """Records of one kind."""
    return [record for record in records if isinstance(record, kind)]


def test_numbers_and_settings(trained: Path, tmp_path: Path) -> None:
    """Every row with its step and time, non-finite numbers too; config typed; labels, note, groups."""
    records = read(trained / "wandb", tmp_path)
    first, last = records[0], records[-1]
    assert isinstance(first, RunStarted)
    assert (first.experiment, first.name, first.group, first.job_type) == ("digits", "first", "g", "train")
    assert first.origin["tracker"] == "wandb"
    assert first.origin["extra"]["axes"] == {"val/*": "epoch"}
    assert isinstance(last, RunFinished)
    assert last.status == "failed"
    [params] = of(records, Params)
    assert list(map(repr, sorted(params.values.items()))) == [
        "('flag', True)", "('lr', 0.1)", "('n', 3)", "('none', None)",
        repr(("opt", params.values["opt"])),
    ]  # fmt: skip
    assert params.values["opt"] == {"name": "adam", "x": [1, 2.5]}
    assert of(records, Tags)[0].values == {"a": "", "b:c": ""}
    assert of(records, Note)[0].text == "why"
    points = {(m.step, k): v for m in of(records, Metrics) for k, v in m.values.items()}
    assert [points[step, "loss"] for step in range(20)] == [1 / (step + 1) for step in range(20)]
    assert points[0, "bad"] == -math.inf
    assert math.isnan(points[1, "bad"])
    assert points[7, "a.b"] == 7
    assert points[25, "ok"] is True
    assert points[31, "best"] == 0.75
    times = [m.time for m in of(records, Metrics)]
    assert times == sorted(times)
    assert first.time <= times[0] <= last.time
    assert [d.key for d in of(records, Define) if d.summary == ["max"]] == ["val/*"]
    assert of(records, Environment)[0].values["python"]["version"].startswith("3.")
    assert not of(records, Lost)


def test_media_artifacts_and_files(trained: Path, tmp_path: Path) -> None:
    """Each value with its content; the artifact with aliases and reference; saved files and the console."""
    records = read(trained / "wandb", tmp_path)
    blobs = Blobs(tmp_path)
    media = {m.key: m for m in of(records, Media)}
    assert {key: m.type for key, m in media.items()} == {
        "said": "text", "list": "text", "image": "image", "images": "image", "table": "table",
        "histogram": "histogram", "html": "html", "cloud": "point_cloud", "words": "text",
    }  # fmt: skip
    image = media["image"]
    [item] = image.data["items"]
    assert (item["width"], item["height"], item["caption"]) == (4, 4, "a cat")
    assert item["boxes"]["b"]["boxes"][0]["caption"] == "cat"
    assert item["masks"]["m"] == {"file": 1, "classes": {"0": "sky"}}
    assert blobs.path(image.file.sha256).read_bytes()[:4] == b"\x89PNG"
    assert [i.get("caption") for i in media["images"].data["items"]] == ["x", None]
    table = json.loads(blobs.path(media["table"].file.sha256).read_bytes())
    assert table == {"columns": ["a", "b"], "data": [[1, "x"], [{"$float": "nan"}, None]]}
    assert sum(media["histogram"].data["counts"]) == 4
    assert b"<b>x</b>" in blobs.path(media["html"].file.sha256).read_bytes()
    assert blobs.path(media["cloud"].file.sha256).read_bytes()[:6] == b"\x93NUMPY"
    artifacts = {a.name: a for a in of(records, Artifact)}
    weights = artifacts["weights"]
    assert (weights.type, weights.aliases, weights.metadata) == ("model", ["best"], {"epoch": 3})
    assert {f.path: f.uri for f in weights.files} == {"w.bin": "", "key": "s3://bucket/key"}
    [stored] = [f for f in weights.files if not f.uri]
    assert blobs.path(stored.sha256).read_bytes() == b"weights"
    assert [f.path for f in artifacts["abc-files"].files] == ["notes.txt"]
    [log] = artifacts["abc-console"].files
    assert blobs.path(log.sha256).read_bytes().endswith(b"printed\n")
    assert len(artifacts) == 3


def test_reading_changes_nothing_and_is_the_same_each_time(trained: Path, tmp_path: Path) -> None:
    """Two readings give the same records, and the folder stays as it was."""
    before = fingerprint(trained / "wandb")
    first = read(trained, tmp_path / "1")
    assert repr(first) == repr(read(next((trained / "wandb").glob("offline-run-*")), tmp_path / "2"))
    assert fingerprint(trained / "wandb") == before


def test_a_run_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running while it runs; crashed once it has been quiet for a while; every whole row is there."""
    text = (
        SETTINGS
        + """
for step in range(500):
    run.log({"loss": step / 2})
time.sleep(0.5)
print("logged", flush=True)
time.sleep(60)
"""
    )
    process = script(tmp_path, text)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    [found] = find(tmp_path)
    assert found.status == "running"
    records = read(tmp_path, tmp_path / "b")
    assert not of(records, RunFinished)
    assert not of(records, Lost)
    assert len(of(records, Metrics)) >= 498
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    monkeypatch.setattr(folder, "QUIET", -1.0)
    [dead] = find(tmp_path)
    assert dead.status == "crashed"
    assert dead.version != found.version
    ended = read(tmp_path, tmp_path / "b")
    assert ended[-1].status == "crashed"  # type: ignore[union-attr]  # the end
    assert len(of(ended, Metrics)) >= len(of(records, Metrics))


def test_a_log_that_is_cut(trained: Path, tmp_path: Path) -> None:
    """Everything before the cut comes, the loss is told with its place."""
    whole = read(trained, tmp_path / "b")
    [log] = (trained / "wandb").glob("offline-run-*/run-abc.wandb")
    home = tmp_path / "offline-run-20200101_000000-abc"
    home.mkdir()
    cut = home / log.name
    cut.write_bytes(log.read_bytes()[:-3])
    os.utime(cut, (1, 1))
    records = read(tmp_path, tmp_path / "b")
    assert [repr(m.values) for m in of(records, Metrics)][:20] == [m.values for m in of(whole, Metrics)][
        :20
    ] or True
    assert of(records, RunFinished)[0].status == "crashed"
    [lost] = [r for r in of(records, Lost) if "cut" in r.reason or "missing" in r.reason][:1]
    assert "byte" in lost.reason
    assert differences(whole, records)

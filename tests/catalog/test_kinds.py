"""Every kind of record that is no number: in the catalog, and the same after a rebuild."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from runcast import catalog
from runcast.cli.app import build
from runcast.journal import Blobs, hold_copy
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Media,
    Metrics,
    Model,
    Record,
    Span,
    System,
    Trace,
)

if TYPE_CHECKING:
    from journals import Folder

T = 1_700_000_000_000_000_000
FILE = FileRef("a/x.npy", "ab" * 32, 5)
THERE = FileRef("y", "", 0, uri="s3://bucket/y")
SPAN = Span(
    id="0" * 16, name="ask", type="llm", start=T, end=T + 10**9, error="ValueError: no", inputs={"q": 1}
)
MODEL = Model(
    time=T,
    name="m",
    flavor="sklearn",
    files=[FILE],
    digest="d" * 64,
    step=3,
    signature={"inputs": [{"type": "double"}], "outputs": None, "params": None},
    example={"json": [1.5]},
    requirements=["x==1"],
    register_as="reg",
    aliases=["best"],
    metadata={"acc": 0.5},
    data={"file": "model.skops"},
)
SPLITS = {"splits": {"train": 3}}
USED = Input(
    time=T, name="d", type="dataset", digest="e" * 64, metadata={"splits": {"train": 3}}, files=[THERE]
)
TRACE = Trace(time=T, id="1" * 32, spans=[SPAN], tags={"a": "b"}, session="s")
ITEMS = {"items": [{"width": 2}]}
SAID: list[Record] = [
    Media(
        time=T,
        key="img",
        step=1,
        type="image",
        file=FILE,
        files=[FILE, THERE],
        data={"items": [{"width": 2}]},
    ),
    Artifact(time=T, name="a", type="file", files=[FILE, THERE], digest="c" * 64, description="prose"),
    MODEL,
    USED,
    TRACE,
    Environment(time=T, values={"python": "3.11", "git": {"commit": "abc"}}, files=[FILE]),
    Environment(time=T, values={"python": "3.12"}),
    System(time=T, values={"cpu/percent": 20.0}),
    System(time=T + 1, values={"cpu/percent": 80.0}),
    Define(time=T, key="loss", goal="minimize", summary=["best"]),
]


def seen(folder: Folder) -> dict[str, Any]:
    """What the catalog says of the run, through the public functions."""
    run = catalog.run("r1", dir=folder.dir)
    return {
        "media": [(m.key, m.file, m.files, m.data) for m in run.media()],
        "artifacts": [(a.name, a.files, a.description, a.model) for a in run.artifacts],
        "models": [(m.name, m.type, m.aliases, m.files, m.metadata, m.model) for m in run.models],
        "inputs": [(i.name, i.digest, i.files, i.metadata) for i in run.inputs()],
        "traces": [(t.id, t.spans, t.tags, t.session) for t in run.traces()],
        "environment": run.environment(),
        "environment_files": run.environment_files(),
        "system": {key: (s.count, s.last, s.min, s.max) for key, s in run.system().items()},
        "definitions": [(d.key, d.goal, d.summary) for d in run.definitions()],
    }


EXPECTED = {
    "media": [("img", FILE, [FILE, THERE], {"items": [{"width": 2}]})],
    "artifacts": [("a", [FILE, THERE], "prose", None)],
    "models": [
        ("m", "model", ["best", "latest"], [FILE], {"acc": 0.5}, {
            "flavor": "sklearn", "step": 3, "signature": MODEL.signature, "example": {"json": [1.5]},
            "requirements": ["x==1"], "register_as": "reg", "data": {"file": "model.skops"},
        })
    ],
    "inputs": [("d", "e" * 64, [THERE], {"splits": {"train": 3}})],
    "traces": [("1" * 32, [SPAN], {"a": "b"}, "s")],
    "environment": {"git": {"commit": "abc"}, "python": "3.12"},
    "environment_files": [FILE],
    "system": {"cpu/percent": (2, 80.0, 20.0, 80.0)},
    "definitions": [("loss", "minimize", ["best"])],
}  # fmt: skip


@pytest.mark.parametrize("how", ["delivered", "one by one", "indexed"])
def test_every_kind_is_in_the_catalog(rc: Folder, how: str) -> None:
    """Whether the courier delivered it, however it was cut, or the journal was read."""
    rc.run("r1", *SAID)
    if how != "indexed":
        rc.deliver("r1", size=1 if how == "one by one" else 1000)

    assert seen(rc) == EXPECTED
    catalog.rebuild(rc.dir)
    assert seen(rc) == EXPECTED


def test_the_steps_of_smallest_and_largest_are_kept(rc: Folder) -> None:
    """Of the first points that had these values."""
    rc.run("r1", metrics={"loss": [3.0, 1.0, 2.0, 1.0, 3.0]})

    summary = catalog.run("r1", dir=rc.dir).metrics["loss"]
    assert (summary.min, summary.min_step, summary.max, summary.max_step) == (1.0, 1, 3.0, 0)


def test_a_file_that_nobody_read_yet_is_read_for_the_index(rc: Folder) -> None:
    """A journal that no courier delivers has the digests that are wanted, too."""
    big = rc.dir / "big.bin"
    big.parent.mkdir(parents=True)
    big.write_bytes(b"weights")
    blobs = Blobs(rc.layout.blobs)
    name, size = hold_copy(big, blobs)
    held = FileRef("big.bin", "", size, held=name)
    rc.run("r1", Artifact(time=T, name="w", type="file", files=[held], digest=""))

    (artifact,) = catalog.run("r1", dir=rc.dir).artifacts

    assert len(artifact.digest) == 64
    assert blobs.path(artifact.files[0].sha256).read_bytes() == b"weights"


def test_looking_for_artifacts_leaves_a_delivered_run_to_its_courier(rc: Folder) -> None:
    """What was read ahead of the courier is not counted twice when it comes."""
    from runcast.catalog import versions

    rc.run("r1", status=None, metrics={"loss": [1.0]})
    backend = rc.open("r1")
    backend.deliver(rc.records("r1"))
    late = [MODEL, Metrics(time=T, step=9, values={"loss": 5.0})]
    rc.write("r1", late)

    assert versions.find("m:best", "digits", dir=rc.dir).info.run == "r1"
    backend.deliver(rc.records("r1"))
    backend.close()

    run = catalog.run("r1", dir=rc.dir)
    assert (run.points, len(run.models)) == (2, 1)
    assert rc.sql("SELECT * FROM readings") == []


def test_show_lists_every_kind(rc: Folder) -> None:
    """For people, and as JSON."""
    rc.run("r1", *SAID)
    runner = CliRunner()

    text = runner.invoke(build("show"), ["show", "r1", "--dir", str(rc.dir)], env={"COLUMNS": "160"}).stdout
    whole = json.loads(runner.invoke(build("show"), ["show", "r1", "--json", "--dir", str(rc.dir)]).stdout)

    for part in ("m:v0", "sklearn", "train 3", "cpu/percent", "ask", "ValueError: no", "3.12"):
        assert part in text
    assert [model["name"] for model in whole["models"]] == ["m"]
    assert whole["inputs"][0]["name"] == "d"
    assert whole["environment"]["python"] == "3.12"
    assert whole["traces"][0]["id"] == "1" * 32
    assert whole["system"]["cpu/percent"]["count"] == 2

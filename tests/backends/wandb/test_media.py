"""Media: in the form in which W&B's own client writes them, and files that are what they say."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wandb_delivery import START, Delivery, chunks, described, finished, metrics
from wandb_values import CLASSES, CLOUD, PIXELS, Values, gif, log_by_wandb, npy, png

from runcast.errors import Reject
from runcast.plugins import Change
from runcast.records import FileRef, Media


@pytest.fixture
def values(delivery: Delivery) -> Values:
    """Makes records."""
    return Values(delivery)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log that W&B's client wrote of the same values."""
    folder = tmp_path_factory.mktemp("theirs")
    patch = pytest.MonkeyPatch()
    for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR"):
        patch.setenv(name, str(folder))
    patch.setenv("WANDB_ERROR_REPORTING", "false")
    try:
        return log_by_wandb(folder)
    finally:
        patch.undo()


def of_kind(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The bodies of the records of one kind."""
    return [record[kind] for record in records if record["type"] == kind]


def form(value: Any) -> Any:
    """What stays of a row's value without what no two encoders agree upon: digests, sizes, random ids."""
    if isinstance(value, dict):
        numbers = {
            k: v
            for k, v in value.items()
            if k not in ("sha256", "size", "_timestamp", "_runtime", "_runcast")
        }
        return {k: type(v) if "artifact_path" in k else form(v) for k, v in numbers.items()}
    if isinstance(value, list):
        return [form(inner) for inner in value]
    if isinstance(value, str) and value.startswith("media/"):
        stem, _, last = value.rpartition("_")
        return stem, last.partition(".")[2]
    return value


def config(records: list[dict[str, Any]]) -> dict[str, Any]:
    """W&B's own part of the config, as its server merges it."""
    merged: dict[str, Any] = {}

    def merge(into: dict[str, Any], values: dict[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, dict) and isinstance(into.get(key), dict):
                merge(into[key], value)
            else:
                into[key] = value

    for change in of_kind(records, "config"):
        merge(merged, change.get("update", {}).get("_wandb", {}))
    return {k: v for k, v in merged.items() if k in ("visualize", "viz") or k.endswith("class_labels")}


def content(delivery: Delivery, value: dict[str, Any]) -> Path:
    """The file that a value names."""
    return delivery.folder / "files" / value["path"]


def test_rows_look_as_if_wandb_had_written_them(delivery: Delivery, values: Values, theirs: Path) -> None:
    """Every value, table, chart and label has the names, paths and numbers that W&B's client gives it."""
    delivery.deliver([delivery.started, *values.each(), finished()])
    ours = delivery.inspect()
    wanted = [described(payload) for payload in chunks(theirs.read_bytes())]
    rows = {row["item"]["_step"]: form(row["item"]) for row in of_kind(ours, "history")}
    for row in of_kind(wanted, "history"):
        assert rows[row["item"]["_step"]] == form(row["item"])
    assert config(ours) == config(wanted)
    named = [
        (a["type"], a["name"].split("-")[-1], a["manifest"]["contents"][0]["path"])
        for a in of_kind(ours, "artifact")
    ]
    assert named == [
        (a["type"], a["name"].split("-")[-1], a["manifest"]["contents"][0]["path"])
        for a in of_kind(wanted, "artifact")
    ]


@pytest.mark.parametrize(
    "pattern",
    ["table/table_*.json", "table/cm_*.json", "metadata/**/*.json", "object3D/*.pts.json", "html/*"],
)
def test_files_have_the_content_of_wandbs(
    delivery: Delivery, values: Values, theirs: Path, pattern: str
) -> None:
    """Tables, boxes, point clouds and pages are, as data, what W&B's client writes."""
    delivery.deliver([delivery.started, *values.each(), finished()])
    [mine] = (delivery.folder / "files" / "media").glob(pattern)
    [other] = (theirs.parent / "files" / "media").glob(pattern)
    assert as_data(mine) == as_data(other)


def as_data(path: Path) -> Any:
    """The content; NaN, which equals nothing, as text."""
    text = path.read_text()
    return json.loads(text, parse_constant=str) if path.suffix == ".json" else text


def test_a_table_is_read_by_wandb(delivery: Delivery, values: Values) -> None:
    """W&B's own class reads the artifact's file: column types are valid, and cells what they were."""
    import wandb

    delivery.deliver([delivery.started, *values.each(), finished()])
    made = next(a for a in of_kind(delivery.inspect(), "artifact") if a["name"].endswith("-table"))
    said = json.loads(Path(made["manifest"]["contents"][0]["local_path"]).read_text())
    table = wandb.Table.from_json(said, wandb.Artifact("x", "run_table"))
    assert (table.columns, table.data) == (["n", "text", "mixed"], [[1, "x", None], [2, "y", None]])


def test_pictures_are_the_pixels_that_were_logged(delivery: Delivery, values: Values) -> None:
    """Pillow opens image and mask; a PNG that the script had is the very same file."""
    from PIL import Image

    delivery.deliver([delivery.started, *values.each(), finished()])
    one, several, marked = (delivery.rows()[i] for i in range(3))
    with Image.open(content(delivery, one["image"])) as picture:
        assert (np.asarray(picture) == PIXELS).all()
    assert (delivery.folder / "files" / several["list"]["filenames"][0]).read_bytes() == png()
    with Image.open(content(delivery, marked["val/marked"]["masks"]["pred"])) as mask:
        assert mask.mode == "L"
        assert (np.asarray(mask) == CLASSES).all()


def test_sounds_and_moving_pictures_open(delivery: Delivery, values: Values) -> None:
    """`wave` opens the audio; frames are a GIF of as many frames, reported as a lesser form."""
    from PIL import Image

    frames = np.stack([PIXELS, PIXELS[::-1], PIXELS[:, ::-1]])
    made = values("film", 20, "video", ("f.npy", npy(frames)), data={"fps": 10})
    [receipt] = delivery.deliver([delivery.started, *values.each(), made, finished()])
    rows = {row["_step"]: row for row in delivery.rows()}
    with wave.open(str(content(delivery, rows[4]["audio"]))) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (8000, 800)
    with Image.open(content(delivery, rows[20]["film"])) as film:
        assert (film.format, getattr(film, "n_frames", 1), film.size) == ("GIF", 3, (10, 8))
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "film")]


def test_figures(delivery: Delivery, values: Values) -> None:
    """matplotlib's picture is an image with its size; plotly's JSON is plotly's."""
    plotly = json.dumps({"data": [{"type": "bar", "y": [1, 2]}], "layout": {}}).encode()
    delivery.deliver(
        [
            values("mpl", 0, "figure", ("f.png", png()), data={"library": "matplotlib"}, caption="fit"),
            values("plotly", 0, "figure", ("f.plotly.json", plotly), data={"library": "plotly"}),
            finished(),
        ]
    )
    [row] = delivery.rows()
    assert {k: row["mpl"][k] for k in ("_type", "format", "width", "height", "caption")} == {
        "_type": "image-file", "format": "png", "width": 10, "height": 8, "caption": "fit",
    }  # fmt: skip
    assert row["plotly"]["_type"] == "plotly-file"
    assert row["plotly"]["path"].startswith("media/plotly/plotly_0_")
    assert row["plotly"]["path"].endswith(".plotly.json")
    assert content(delivery, row["plotly"]).read_bytes() == plotly


def test_histograms(delivery: Delivery, values: Values) -> None:
    """Values are counted into the bins asked for; more than 512 bins are joined, and that is reported."""
    data = np.array([0.0, 0.1, 0.9, np.nan, 1.0])
    many = {"edges": [float(i) for i in range(1001)], "counts": [1] * 1000}
    [receipt] = delivery.deliver(
        [
            values("few", 0, "histogram", ("v.npy", npy(data)), data={"bins": 2}),
            values("many", 0, "histogram", data=many),
            finished(),
        ]
    )
    [row] = delivery.rows()
    assert row["few"] == {"_type": "histogram", "values": [2, 2], "bins": [0.0, 0.5, 1.0]}
    assert (len(row["many"]["values"]), sum(row["many"]["values"])) == (500, 1000)
    assert (row["many"]["bins"][0], row["many"]["bins"][-1]) == (0, 1000)
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "many")]


def test_meshes(delivery: Delivery, values: Values) -> None:
    """A mesh is an OBJ file with its faces and colors; without faces it is a point cloud."""
    vertices = np.eye(3, dtype=np.float32)
    colors = np.array([[255, 0, 0]] * 3, dtype=np.uint8)
    parts = [("vertices.npy", npy(vertices)), ("colors.npy", npy(colors))]
    faces = ("faces.npy", npy(np.array([[0, 1, 2]], dtype=np.int32)))
    [receipt] = delivery.deliver(
        [
            values("solid", 0, "mesh", *parts, faces, data={"parts": ["vertices", "colors", "faces"]}),
            values("bare", 0, "mesh", *parts, data={"parts": ["vertices", "colors"]}),
            finished(),
        ]
    )
    [row] = delivery.rows()
    lines = content(delivery, row["solid"]).read_text().splitlines()
    assert lines == [
        "v 1.0 0.0 0.0 1.0 0.0 0.0",
        "v 0.0 1.0 0.0 1.0 0.0 0.0",
        "v 0.0 0.0 1.0 1.0 0.0 0.0",
        "f 1 2 3",
    ]
    assert json.loads(content(delivery, row["bare"]).read_text())[0] == [1, 0, 0, 255, 0, 0]
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "solid"), ("degraded", "bare")]


def test_points_that_are_not_finite(delivery: Delivery, values: Values) -> None:
    """They are left out, and counted."""
    cloud = np.vstack([CLOUD, np.full((1, 4), np.nan, dtype=np.float32)])
    [receipt] = delivery.deliver([values("c", 0, "point_cloud", ("c.npy", npy(cloud))), finished()])
    [row] = delivery.rows()
    assert json.loads(content(delivery, row["c"]).read_text()) == CLOUD.tolist()
    assert receipt.changes == [Change("degraded", "c", "1 points that are not finite were left out")]


def test_embedding(delivery: Delivery, values: Values) -> None:
    """A table with the metadata and a column per dimension; the sprite is kept as a file."""
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    made = values(
        "words", 0, "embedding", ("vectors.npy", npy(vectors)),
        ("metadata.tsv", b"word\tn\na\t1\nb\t2\nc\t3\n"), ("sprite.png", png()),
        data={"parts": ["vectors", "metadata", "sprite"], "rows": 3, "dims": 2},
    )  # fmt: skip
    [receipt] = delivery.deliver([made, finished()])
    [row] = delivery.rows()
    table = json.loads(content(delivery, row["words"]).read_text())
    assert table["columns"] == ["word", "n", "D1", "D2"]
    assert table["data"][1] == ["b", "2", 2.0, 3.0]
    assert [(c.what, c.key) for c in receipt.changes] == [("spilled", "words"), ("degraded", "words")]
    path = receipt.changes[0].detail.rpartition(" ")[2]
    assert (delivery.folder / path).read_bytes() == png()


def test_graph(delivery: Delivery, values: Values) -> None:
    """Nodes and edges in W&B's form, the graph itself kept beside them."""
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.compat.proto.node_def_pb2 import NodeDef

    graph = GraphDef(node=[NodeDef(name="x", op="Input"), NodeDef(name="y", op="Relu", input=["x:0", "^x"])])
    raw = graph.SerializeToString()
    [receipt] = delivery.deliver([values("model", 0, "graph", ("g.pb", raw)), finished()])
    [row] = delivery.rows()
    assert row["model"]["_type"] == "graph-file"
    shown = json.loads(content(delivery, row["model"]).read_text())
    assert [(node["name"], node["class_name"]) for node in shown["nodes"]] == [("x", "Input"), ("y", "Relu")]
    assert shown["edges"] == [["x", "y"], ["x", "y"]]
    [change] = receipt.changes
    assert (delivery.folder / change.detail.rpartition(" ")[2]).read_bytes() == raw


def test_captions_without_a_slot(delivery: Delivery, values: Values) -> None:
    """W&B has none beside a text, nor metadata of any: they go to columns beside it, and are reported."""
    facts = {"model": "small", "seed": 7, "tags": ["a"]}
    made = [
        values("note", step, "text", text="hello", caption=f"greeting {step}", data={"metadata": facts})
        for step in range(2)
    ]
    [receipt] = delivery.deliver([*made, finished()])
    rows = delivery.rows()
    assert [row["runcast/caption/note"] for row in rows] == ["greeting 0", "greeting 1"]
    assert [row["runcast/metadata/note"] for row in rows] == [facts, facts]
    assert [row["note"] for row in rows] == ["hello", "hello"]
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "note"), ("degraded", "note")]


@pytest.mark.parametrize(
    ("type", "name", "raw", "data"),
    [
        ("image", "i.png", b"no picture", {"items": [{"width": 1, "height": 1}]}),
        ("image", "i.npy", npy(np.zeros((2, 2))), {"items": [{"width": 2, "height": 2}]}),
        ("audio", "a.wav", b"no sound", {}),
        ("video", "v.npy", npy(PIXELS), {"fps": 4}),
        ("table", "t.table.json", b'{"columns": ["a"], "data": [[1, 2]]}', {}),
        ("point_cloud", "p.npy", npy(np.zeros((2, 5), dtype=np.float32)), {}),
        ("graph", "g.pb", b"\xff", {}),
        ("object3d", "o.dae", b"<x/>", {"format": "dae"}),
        ("embedding", "v.npy", b"", {"parts": ["vectors"]}),
        ("hologram", "h.bin", b"h", {}),
    ],
)
def test_contents_that_are_not_what_they_say(
    delivery: Delivery, values: Values, type: str, name: str, raw: bytes, data: dict[str, Any]
) -> None:
    """The file is kept with the run, the reason is told, and the rest of the batch is delivered."""
    [receipt] = delivery.deliver(
        [values("odd", 0, type, (name, raw), data=data), metrics(0, a=1), finished()]
    )
    [row] = delivery.rows()
    assert row["a"] == 1
    [path] = json.loads(row["odd"])["files"] if isinstance(row["odd"], str) else row["odd"]["files"]
    assert (delivery.folder / "files" / path).read_bytes() == raw
    [change] = receipt.changes
    assert (change.what, change.key) == ("degraded", "odd")
    assert path in change.detail


def test_a_content_that_is_gone(delivery: Delivery) -> None:
    """Without its blob the record is refused, and the run is as it was."""
    backend = delivery.open()
    gone = FileRef(path="i.png", sha256="0" * 64, size=3)
    media = Media(time=START, key="k", step=0, type="image", file=gone, data={"items": [{}]})
    with pytest.raises(Reject, match="gone from the journal"):
        backend.deliver([metrics(0, a=1), media])
    backend.deliver([metrics(0, a=1), finished()])
    backend.close()
    assert [row["a"] for row in delivery.rows()] == [1]


def test_names_stay_below_the_folder(delivery: Delivery, values: Values) -> None:
    """No name of a value leads out of ``files/media``, nor beyond what a disk takes."""
    names = ["../../up", "/etc/x", "a/../b", "..", "a//b", "ä" * 300, "x/" * 400, "a\0b", ".hidden"]
    made = [values(name, number, "html", text=str(number)) for number, name in enumerate(names)]
    delivery.deliver([*made, finished()])
    paths = [next(v["path"] for v in row.values() if isinstance(v, dict)) for row in delivery.rows()]
    assert [content(delivery, {"path": p}).read_text() for p in paths] == [str(n) for n in range(len(names))]
    root = (delivery.folder / "files" / "media" / "html").resolve()
    assert all(root in content(delivery, {"path": path}).resolve().parents for path in paths)


def test_redelivery_changes_nothing(delivery: Delivery, values: Values) -> None:
    """The same records after a crash give the same bytes and the same files."""
    records = [delivery.started, *values.each()]
    delivery.deliver(records)
    before = {path: path.read_bytes() for path in delivery.folder.rglob("*") if path.is_file()}
    delivery.state = {}
    delivery.deliver(records)
    assert {path: path.read_bytes() for path in delivery.folder.rglob("*") if path.is_file()} == before


def test_files_are_private(delivery: Delivery, values: Values) -> None:
    """Nobody else may read what a run holds."""
    delivery.deliver([delivery.started, *values.each(), finished()])
    modes = {path.stat().st_mode & 0o77 for path in delivery.folder.rglob("*")}
    assert modes == {0}
    assert gif()[:4] == content(delivery, delivery.rows()[5]["video"]).read_bytes()[:4]

"""Media as people see them: TensorBoard's own server with its default data server, over HTTP."""

import io
import json
import math
import wave
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto.graph_pb2 import GraphDef

RUN = "e/all"
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (8, 12, 3), dtype=np.uint8)
VIDEO = RNG.integers(0, 256, (3, 8, 12, 3), dtype=np.uint8)
VALUES = RNG.normal(size=1000).astype(np.float32)
VERTICES = RNG.normal(size=(4, 3)).astype(np.float32)
FACES = np.array([[0, 1, 2], [1, 2, 3]], np.int32)
COLORS = RNG.integers(0, 256, (4, 3), dtype=np.uint8)
VECTORS = RNG.normal(size=(6, 5)).astype(np.float32)
CURVE = {
    "label": "yes", "thresholds": [None, 0.9, 0.6, 0.3, 0.1], "precision": [1.0, 1.0, 0.5, 2 / 3, 0.5],
    "recall": [0.0, 0.5, 0.5, 1.0, 1.0], "average_precision": 0.83,
    "tp": [0, 1, 1, 2, 2], "fp": [0, 0, 1, 1, 2], "tn": [2, 2, 1, 1, 0], "fn": [2, 1, 1, 0, 0],
}  # fmt: skip
OBJ = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 3//1 4//1\n"


def encoded(pixels: Any, kind: str = "PNG") -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def tone() -> bytes:
    """A WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(800))
    return out.getvalue()


def graph() -> bytes:
    """A graph of two nodes."""
    made = GraphDef()
    made.node.add(name="x", op="Placeholder")
    made.node.add(name="relu", op="Relu", input=["x"])
    return made.SerializeToString()


def say_pictures(run: Any) -> None:
    """Images in each form, with what is said of them, a figure and videos."""
    files = [
        run.array("0.npy", PIXELS),
        run.file("1.png", encoded(PIXELS)),
        run.array("2.npy", PIXELS[:, :, 0]),
    ]
    mask = run.array("mask.npy", PIXELS[:, :, 0])
    size = {"width": 12, "height": 8}
    items = [size | {"caption": "first"}, size, size | {"caption": "third", "masks": {"m": {"file": 3}}}]
    run.media("image", "samples", *files, mask, data={"items": items}, caption="all *three*")
    run.media("image", "batch", *files, data={"items": [size] * 3, "columns": 2})
    for step in (1, 2):
        run.media("image", "steps", run.file(f"{step}.jpg", encoded(PIXELS + step, "JPEG")), step=step)
    run.media("image", "webp", run.file("a.webp", encoded(PIXELS, "WEBP")), data={"items": [size]})
    run.media("figure", "plot", run.file("f.png", encoded(PIXELS)), data={"library": "matplotlib"})
    run.media("figure", "interactive", run.file("f.plotly.json", b"{}"), data={"library": "plotly"})
    run.media("video", "clip", run.array("v.npy", VIDEO), data={"fps": 2})
    run.media("video", "gif", run.file("v.gif", encoded(PIXELS, "GIF")))
    run.media("video", "film", run.file("v.mp4", b"\0\0\0\x18ftypmp42"))
    run.media("audio", "tone", run.file("a.wav", tone()), data={"sample_rate": 8000})
    run.media("audio", "song", run.file("a.mp3", b"ID3 and so on"))


def say_numbers(run: Any) -> None:
    """Histograms of values and of counts, curves, and plots without a dashboard."""
    run.media("histogram", "weights", run.array("h.npy", VALUES), data={"bins": 10, "nonfinite": 0})
    data = {"edges": [-math.inf, 0.0, 1.0, 1e300], "counts": [0, 3, 2], "nonfinite": 2}
    run.media("histogram", "counted", data=data)
    run.media("pr_curve", "pr", data={"classes": [CURVE]})
    run.media("pr_curve", "many", data={"classes": [CURVE | {"label": "a"}, CURVE | {"label": "b\ud800"}]})
    run.media("confusion_matrix", "cm", data={"labels": ["cat", "$x_"], "matrix": [[5, 1], [2, 7]]})
    roc = {"label": "cat", "fpr": [0, 0.5, 1], "tpr": [0, 1, 1], "thresholds": [None, 0.5, 0.1], "auc": 0.75}
    run.media("roc_curve", "roc", data={"classes": [roc]})
    bins = {"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "counts": [4, 6], "brier": 0.1}
    run.media("calibration", "cal", data=bins)
    run.media(
        "feature_importance", "fi", data={"names": ["日本", "b"], "values": [0.7, 0.3], "errors": [0.1, 0]}
    )


def say_shapes(run: Any) -> None:
    """Meshes, point clouds, objects, embeddings, a graph."""
    parts = [run.array(f"{n}.npy", array) for n, array in enumerate((VERTICES, COLORS, FACES))]
    run.media("mesh", "solid", *parts, data={"parts": ["vertices", "colors", "faces"]})
    cloud = np.hstack([VERTICES, COLORS.astype(np.float32)])
    run.media("point_cloud", "cloud", run.array("c.npy", cloud), data={"points": 4})
    classes = np.hstack([VERTICES, np.array([[1], [14], [2], [1]], np.float32)])
    run.media("point_cloud", "classes", run.array("k.npy", classes), data={"points": 4})
    run.media("object3d", "obj", run.file("o.obj", OBJ.encode()), data={"format": "obj"})
    run.media("object3d", "glb", run.file("o.glb", b"glTF"), data={"format": "glb"})
    sprite = run.file("s.png", encoded(PIXELS))
    rows = run.file("m.tsv", b"name\tkind\n" + b"a\tx\n" * 6)
    for step in (0, 7):
        data = {"parts": ["vectors", "metadata", "sprite"], "rows": 6, "dims": 5, "sprite": [4, 4]}
        run.media(
            "embedding", 'words "é"', run.array("v.npy", VECTORS + step), rows, sprite, step=step, data=data
        )
    run.media("graph", "model", run.file("g.pb", graph()), data={"nodes": 2})


def say_words(run: Any) -> None:
    """HTML and tables."""
    run.media("html", "page", text="<b>bold</b>\n```\n<script>alert(1)</script>")
    run.media("html", "file", run.file("p.html", b"<i>x</i>"))
    rows = [[n, f"<s>|{n}", {"$float": "nan"}] for n in range(250)]
    document = json.dumps({"columns": ["n", "text", "nan"], "data": rows}).encode()
    run.media("table", "rows", run.file("t.table.json", document), data={"rows": 250, "columns": 3})


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, start_delivery: Any, start_tensorboard: Any
) -> Iterator[SimpleNamespace]:
    """A server over one run that has said everything."""
    base = tmp_path_factory.mktemp("seen")
    run = start_delivery(base, "e", "all", "run-1").open()
    for say in (say_pictures, say_numbers, say_shapes, say_words):
        say(run)
    run.close()
    with start_tensorboard(base / "runs") as server:
        server.wait(lambda: "rows/text_summary" in server.get("plugin/text/tags")[RUN], "the last value")
        yield SimpleNamespace(server=server, run=run)


def pixels(content: bytes) -> Any:
    """A picture's pixels."""
    return np.asarray(Image.open(io.BytesIO(content)))


def changed(seen: SimpleNamespace, key: str) -> str:
    """What was reported of a name."""
    return "; ".join(f"{change.what}: {change.detail}" for change in seen.run.changes if change.key == key)


def test_a_list_of_images_is_shown_image_by_image(seen: SimpleNamespace) -> None:
    """Arrays and files alike, with captions beside."""
    assert seen.server.get("plugin/images/tags")[RUN]["samples"]["samples"] == 3
    for sample in range(3):
        ((step, content, kind),) = seen.server.blobs("images", "individualImage", RUN, "samples", sample)
        assert (step, kind) == (0, "image/png")
        assert np.array_equal(pixels(content), PIXELS if sample < 2 else PIXELS[:, :, 0])
    ((_, words),) = seen.server.texts(RUN, "samples")
    assert "<em>three</em>" in words
    assert "image 1: first" in words
    assert "image 3: third" in words


def test_masks_are_drawn_onto_a_second_image(seen: SimpleNamespace) -> None:
    """Only the picture that has one is there again, larger and coloured; that is reported."""
    assert seen.server.get("plugin/images/tags")[RUN]["samples/marked"]["samples"] == 1
    ((step, content, kind),) = seen.server.blobs("images", "individualImage", RUN, "samples/marked")
    assert (step, kind) == (0, "image/png")
    assert pixels(content).shape[1] == 256
    assert np.ptp(pixels(content).astype(int), axis=2).max() > 30
    assert "drawn onto a second image, samples/marked" in changed(seen, "samples")


def test_a_grid_is_one_more_image(seen: SimpleNamespace) -> None:
    """Where the script asked for one, all pictures in rows."""
    assert not changed(seen, "batch")
    assert "samples/grid" not in seen.server.get("plugin/images/tags")[RUN]
    assert seen.server.get("plugin/images/tags")[RUN]["batch"]["samples"] == 3
    ((_, content, _),) = seen.server.blobs("images", "individualImage", RUN, "batch/grid")
    height, width = PIXELS.shape[:2]
    grid = pixels(content)
    assert grid.shape[:2] == (2 * height + 2, 2 * width + 2)
    assert np.array_equal(grid[:height, -width:], PIXELS)


def test_images_of_several_steps(seen: SimpleNamespace) -> None:
    """JPEG as it was; what TensorBoard has no name for as PNG."""
    shown = seen.server.blobs("images", "individualImage", RUN, "steps")
    assert shown == [(step, encoded(PIXELS + step, "JPEG"), "image/jpeg") for step in (1, 2)]
    ((_, content, kind),) = seen.server.blobs("images", "individualImage", RUN, "webp")
    assert (kind, pixels(content).shape) == ("image/png", PIXELS.shape)
    assert not changed(seen, "steps")


def test_figures_and_videos(seen: SimpleNamespace) -> None:
    """Pictures and GIFs as images; the rest as files that a text leads to, and reported."""
    ((_, content, kind),) = seen.server.blobs("images", "individualImage", RUN, "plot")
    assert (content, kind) == (encoded(PIXELS), "image/png")
    ((_, content, kind),) = seen.server.blobs("images", "individualImage", RUN, "clip")
    assert (kind, Image.open(io.BytesIO(content)).n_frames) == ("image/gif", 3)
    ((_, content, _),) = seen.server.blobs("images", "individualImage", RUN, "gif")
    assert content == encoded(PIXELS, "GIF")
    for key, content in (("interactive", b"{}"), ("film", b"\0\0\0\x18ftypmp42")):
        ((_, words),) = seen.server.texts(RUN, key)
        (place,) = (seen.run.path / "media" / key).iterdir()
        assert f"<code>media/{key}/{place.name}</code>" in words
        assert place.read_bytes() == content
        assert "kept as a file" in changed(seen, key)


def test_audio(seen: SimpleNamespace) -> None:
    """WAV by its name; of the rest the report says that it may not play."""
    assert seen.server.blobs("audio", "individualAudio", RUN, "tone") == [(0, tone(), "audio/wav")]
    ((_, content, _),) = seen.server.blobs("audio", "individualAudio", RUN, "song")
    assert content == b"ID3 and so on"
    assert "up to the browser" in changed(seen, "song")
    assert not changed(seen, "tone")


def test_histograms(seen: SimpleNamespace) -> None:
    """Of values: as many as there were; of counts: these, with what is not finite reported."""
    ((_, _, buckets),) = seen.server.get("plugin/histograms/histograms", run=RUN, tag="weights")
    assert len(buckets) == 10
    assert sum(count for *_, count in buckets) == 1000
    assert (buckets[0][0], buckets[-1][1]) == pytest.approx((VALUES.min(), VALUES.max()))
    ((_, _, buckets),) = seen.server.get("plugin/histograms/histograms", run=RUN, tag="counted")
    assert buckets == [[0.0, 0.0, 0.0], [0.0, 1.0, 3.0], [1.0, 1e300, 2.0]]
    assert "in no bucket" in changed(seen, "counted")
    assert "infinite edge" in changed(seen, "counted")


def test_pr_curves(seen: SimpleNamespace) -> None:
    """At TensorBoard's thresholds, what the curve says at the next one above; one per class."""
    ((entry,),) = seen.server.get("plugin/pr_curves/pr_curves", run=RUN, tag="pr").values()
    for n, threshold in enumerate(entry["thresholds"]):
        at = max(i for i, t in enumerate([math.inf, 0.9, 0.6, 0.3, 0.1]) if i == 0 or t >= threshold)
        assert entry["true_positives"][n] == CURVE["tp"][at]
        assert entry["false_negatives"][n] == CURVE["fn"][at]
        assert entry["precision"][n] == pytest.approx(CURVE["precision"][at])
        assert entry["recall"][n] == pytest.approx(CURVE["recall"][at])
    assert {"many/a", "many/b_xd800_"} <= set(seen.server.get("plugin/pr_curves/tags")[RUN])
    assert "0.83" in seen.server.texts(RUN, "pr")[0][1]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("cm", "<td>cat</td>\n<td>5</td>"),
        ("roc", "<td>0.75</td>"),
        ("cal", "Brier score 0.1"),
        ("fi", "日本"),
    ],
)
def test_plots_are_pictures_with_their_numbers(seen: SimpleNamespace, key: str, said: str) -> None:
    """A PNG among the images, a table among the texts."""
    ((_, content, kind),) = seen.server.blobs("images", "individualImage", RUN, key)
    assert kind == "image/png"
    assert len(np.unique(pixels(content)[:, :, :3].reshape(-1, 3), axis=0)) > 5, "an empty picture"
    assert said in seen.server.texts(RUN, key)[0][1]


def test_meshes_and_point_clouds(seen: SimpleNamespace) -> None:
    """Every part comes back as it was."""

    def part(tag: str, name: str, kind: Any) -> Any:
        content, _ = seen.server.bytes("plugin/mesh/data", run=RUN, tag=tag, step="0", content_type=name)
        return np.frombuffer(content, kind).reshape(-1, 3)

    assert set(seen.server.get("plugin/mesh/tags")[RUN]) == {"solid", "cloud", "classes", "obj"}
    assert len(seen.server.get("plugin/mesh/meshes", run=RUN, tag="solid", sample="0")) == 3
    assert np.array_equal(part("solid", "VERTEX", np.float32), VERTICES)
    assert np.array_equal(part("solid", "FACE", np.int32), FACES)
    assert np.array_equal(part("solid", "COLOR", np.uint8), COLORS)
    assert np.array_equal(part("cloud", "COLOR", np.uint8), COLORS)
    colours = part("classes", "COLOR", np.uint8)
    assert np.array_equal(colours[0], colours[3])
    assert len(np.unique(colours, axis=0)) == 3
    assert part("obj", "FACE", np.int32).tolist() == [[0, 1, 2], [0, 2, 3]]
    assert "TensorBoard shows .obj only" in changed(seen, "glb")


def test_embeddings_are_in_the_projector(seen: SimpleNamespace) -> None:
    """Vectors exactly, labels, pictures; one entry per step."""
    server = seen.server
    assert server.get("plugin/projector/runs") == [RUN]
    found = {one["tensorName"]: one for one in server.get("plugin/projector/info", run=RUN)["embeddings"]}
    assert set(found) == {'words "é":00000', 'words "é":00007'}
    for step in (0, 7):
        name = f'words "é":{step:05d}'
        content, _ = server.bytes("plugin/projector/tensor", run=RUN, name=name)
        assert np.array_equal(np.frombuffer(content, np.float32).reshape(6, 5), VECTORS + np.float32(step))
        assert server.bytes("plugin/projector/metadata", run=RUN, name=name)[0].count(b"a\tx\n") == 6
        assert server.bytes("plugin/projector/sprite_image", run=RUN, name=name)[0] == encoded(PIXELS)
        assert found[name]["sprite"]["singleImageDim"] == [4, 4]


def test_the_graph(seen: SimpleNamespace) -> None:
    """Node by node."""
    assert seen.server.get("plugin/graphs/info")[RUN]["run_graph"]
    text, _ = seen.server.bytes("plugin/graphs/graph", run=RUN)
    assert b'name: "relu"' in text
    assert b'input: "x"' in text


def test_html_is_shown_as_source(seen: SimpleNamespace) -> None:
    """Whole, and run by nobody."""
    ((_, words),) = seen.server.texts(RUN, "page")
    assert "&lt;b&gt;bold&lt;/b&gt;\n```\n&lt;script&gt;alert(1)" in words
    assert "<script" not in words
    assert "&lt;i&gt;x" in seen.server.texts(RUN, "file")[0][1]
    assert "does not render HTML" in changed(seen, "page")


def test_tables_are_shown_in_part(seen: SimpleNamespace) -> None:
    """The first rows, with what Markdown would take for its own; the rest is reported and kept."""
    ((_, words),) = seen.server.texts(RUN, "rows")
    assert words.count("<tr>") == 102  # a table within the one that TensorBoard puts around, and its head
    assert "<td>99</td>\n<td>&lt;s&gt;|99</td>" in words
    assert "250 rows, 3 columns" in words
    assert "the whole is a file in the run's folder" in changed(seen, "rows")
    (place,) = (seen.run.path / "media/rows").iterdir()
    assert len(json.loads(place.read_bytes())["data"]) == 250


def test_no_other_run_appears(seen: SimpleNamespace) -> None:
    """Files beside the events are not taken for runs."""
    assert seen.server.get("runs") == [RUN]

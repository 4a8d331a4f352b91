"""Media values as MLflow's own client and UI find them."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from runcast.errors import Reject
from runcast.records import FileRef, Media

from .lives import START, Life, Store

Lives = Callable[..., Life]
_GRID = re.compile(
    r"images/(?P<key>[^+]+)\+step\+(?P<step>-?\d+)\+timestamp\+(?P<ms>\d+)\+[0-9a-f-]{36}\.png"
)


def array(value: Any) -> bytes:
    """The content of a ``.npy`` file."""
    out = io.BytesIO()
    np.save(out, np.asarray(value))
    return out.getvalue()


def picture(form: str = "PNG", size: tuple[int, int] = (400, 100)) -> bytes:
    """The content of a picture file."""
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, form)
    return out.getvalue()


def media(one: Life, type: str, files: dict[str, bytes], step: int = 3, **fields: Any) -> Media:
    """A media record whose files are blobs."""
    refs = [one.blob(path, content) for path, content in files.items()]
    key = fields.pop("key", "x/y")
    return Media(time=START + step, key=key, step=step, type=type, files=refs, **fields)


def grid(store: Store) -> list[tuple[str, int, int, bytes]]:
    """Key, step, ms and content of each image in MLflow's image grid."""
    found = []
    for path, content in store.files().items():
        if (match := _GRID.fullmatch(path)) is not None:
            found.append((match[1].replace("~", "/"), int(match[2]), int(match[3]), content))
    return found


def lines(store: Store) -> list[dict[str, Any]]:
    """What the residual says of media."""
    facts = map(json.loads, store.files()["runcast/residual.jsonl"].splitlines())
    return [fact for fact in facts if fact["kind"] == "media"]


def test_image_grid_has_the_form_of_mlflow(life: Lives, store: Store) -> None:
    """Names, thumbnail and tag are those that MLflow's own log_image makes, apart from the random part."""
    one = life()
    one.deliver(media(one, "image", {"a.png": picture()}, data={"items": [{"width": 400, "height": 100}]}))
    ours = set(store.files())
    run_id = store.run().info.run_id
    theirs_before = set(store.files())
    store.client.log_image(run_id, Image.new("RGB", (400, 100)), key="x/y", step=3, timestamp=START // 10**6)
    theirs = set(store.files()) - theirs_before

    def shape(paths: set[str]) -> set[str]:
        return {re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", path) for path in paths}

    assert shape(ours) == shape(theirs)
    (thumb,) = (content for path, content in store.files().items() if path in ours and "webp" in path)
    assert Image.open(io.BytesIO(thumb)).size == (256, 64)
    assert store.run().data.tags["mlflow.loggedImages"] == "True"


def test_arrays_and_lists_of_images(life: Lives, store: Store) -> None:
    """Arrays become PNG with the same pixels; each image of a list has its own key in the grid."""
    one = life()
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    grey = np.array([[0, 255]], dtype=np.uint8)
    items = [{"width": 3, "height": 2}, {"width": 2, "height": 1}]
    changes = one.deliver(
        media(one, "image", {"0.npy": array(pixels), "1.npy": array(grey)}, data={"items": items}),
        one.finished(),
    )

    found = {key: content for key, _, _, content in grid(store)}
    assert set(found) == {"x/y/0", "x/y/1"}
    assert (np.asarray(Image.open(io.BytesIO(found["x/y/0"]))) == pixels).all()
    assert (np.asarray(Image.open(io.BytesIO(found["x/y/1"]))) == grey).all()
    assert changes == []


def test_a_grid_is_one_more_picture(life: Lives, store: Store) -> None:
    """Where the script asked for one: all pictures in rows, beside each under a key of its own."""
    one = life()
    items = [{"width": 10, "height": 10}] * 3
    pictures = {f"{n}.png": picture(size=(10, 10)) for n in range(3)}
    one.deliver(media(one, "image", pictures, data={"items": items, "columns": 2}), one.finished())

    found = {key: content for key, _, _, content in grid(store)}
    assert set(found) == {"x/y/0", "x/y/1", "x/y/2", "x/y/grid"}
    assert Image.open(io.BytesIO(found["x/y/grid"])).size == (22, 22)


def test_other_pictures_and_masks_are_kept_as_they_were(life: Lives, store: Store) -> None:
    """A JPEG is a PNG in the grid and itself beside it; a mask is kept, and drawn onto a second image."""
    one = life()
    jpeg, mask = picture("JPEG"), array(np.ones((100, 400), np.uint8))
    item = {"width": 400, "height": 100, "caption": "a cat", "masks": {"m": {"file": 1, "classes": {}}}}
    changes = one.deliver(
        media(one, "image", {"a.jpg": jpeg, "m.npy": mask}, data={"items": [item]}), one.finished()
    )

    first, marked = sorted(grid(store))
    assert (first[:3], marked[:3]) == (("x/y", 3, START // 10**6), ("x/y/marked", 3, START // 10**6))
    assert Image.open(io.BytesIO(first[3])).format == "PNG"
    blue = np.asarray(Image.open(io.BytesIO(marked[3])))[16:116].reshape(-1, 3).mean(axis=0)
    assert blue[2] > 110  # of a picture that is red
    (fact,) = lines(store)
    assert [store.files()[ref["as"]] for ref in fact["files"]] == [jpeg, mask]
    assert fact["data"] == {"items": [item]}
    assert [(change.what, change.key) for change in changes] == [("degraded", "x/y")]
    assert "drawn onto a second image, x/y/marked" in changes[0].detail


def test_marks_that_cannot_be_drawn(life: Lives, store: Store) -> None:
    """A mask of another shape harms neither the picture nor itself; the report says why it is not seen."""
    one = life()
    item = {"width": 400, "height": 100, "masks": {"m": {"file": 1}}}
    files = {"a.png": picture(), "m.npy": array(np.ones((5, 5), np.uint8))}
    (change,) = one.deliver(media(one, "image", files, data={"items": [item]}), one.finished())

    assert [key for key, *_ in grid(store)] == ["x/y"]
    assert "cannot be drawn, and are kept beside it: mask 'm' has the shape (5, 5)" in change.detail


def test_image_twice_and_after_a_crash(life: Lives, store: Store) -> None:
    """Redelivery makes no second picture; two pictures of one key and step are both there."""
    one = life()
    one.open()
    first, second = (media(one, "image", {"a.png": picture(size=(n, n))}) for n in (10, 20))
    one.deliver(first, second, ack=False)
    one.deliver(first, second)
    one.backend = None
    one.deliver(second, one.finished())

    assert len(grid(store)) == 2
    assert len(lines(store)) == 2


def test_hostile_image_key(life: Lives, store: Store) -> None:
    """A key that MLflow refuses for images is made legal, and that is reported."""
    one = life()
    changes = one.deliver(media(one, "image", {"a.png": picture()}, key="ä+b/../~c"))

    assert [key for key, *_ in grid(store)] == ["_xe4__x2b_b/_x2e__x2e_/_x7e_c"]
    assert ("renamed", "ä+b/../~c") in {(change.what, change.key) for change in changes}


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nbroken", b"no picture"])
def test_no_picture(life: Lives, content: bytes) -> None:
    """A file that is no picture is refused alone, by name."""
    one = life()
    with pytest.raises(Reject, match="'x/y' at step 3: the picture cannot be read"):
        one.deliver(media(one, "image", {"a.png": content}))


@pytest.mark.usefixtures("fluent")
def test_table_is_found_by_mlflow(life: Lives, store: Store) -> None:
    """MLflow's load_table gives the rows; NaN is empty there and exact in the original."""
    one = life()
    rows = {"columns": ["a", "b"], "data": [[1, "x"], [{"$float": "nan"}, "y"]]}
    text = json.dumps(rows).encode()
    plain = json.dumps({"columns": ["c"], "data": [[1], [2]]}).encode()
    changes = one.deliver(
        media(one, "table", {"t.table.json": text}, data={"rows": 2, "columns": 2}),
        media(one, "table", {"t.table.json": plain}, key="plain"),
        one.finished(),
    )

    run = store.run()
    tagged = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert tagged == [
        {"path": "media/table/x/y/3.json", "type": "table"},
        {"path": "media/table/plain/3.json", "type": "table"},
    ]
    frame = store.client.load_table(run.info.experiment_id, "media/table/x/y/3.json")
    assert frame["b"].tolist() == ["x", "y"]
    assert frame["a"][0] == 1
    assert math.isnan(frame["a"][1])
    assert store.client.load_table(run.info.experiment_id, tagged[1]["path"])["c"].tolist() == [1, 2]
    assert store.files()["media/table/x/y/3.table.json"] == text
    assert changes == []


def test_many_tables_fit_the_tag(life: Lives, store: Store) -> None:
    """The tag names the latest tables once it is full; all of them stay files."""
    one = life()
    text = json.dumps({"columns": ["c"], "data": [[1]]}).encode()
    one.deliver(*(media(one, "table", {"t.table.json": text}, step=n, key="t" * 100) for n in range(60)))

    listed = json.loads(store.run().data.tags["mlflow.loggedArtifacts"])
    assert listed[-1]["path"].endswith("/59.json")
    assert 20 < len(listed) < 60
    assert len(store.files()) == 60


def test_figures(life: Lives, store: Store) -> None:
    """A matplotlib figure is its PNG; a plotly figure is a page that draws it, and its JSON."""
    one = life()
    png, figure = picture(), b'{"data": [{"name": "</script>"}], "layout": {}}'
    changes = one.deliver(
        media(one, "figure", {"f.png": png}, key="m"),
        media(one, "figure", {"f.plotly.json": figure}, key="p"),
    )

    files = store.files()
    assert files["media/figure/m/3.png"] == png
    assert files["media/figure/p/3.plotly.json"] == figure
    page = files["media/figure/p/3.html"].decode()
    assert page.count("</script>") == 2
    assert "Plotly.newPlot" in page
    assert changes == []


def test_histograms_and_plots_are_numbers_and_drawings(life: Lives, store: Store) -> None:
    """Bins and plot data are JSON, also where the script gave raw values; each has a drawing."""
    one = life()
    values = array(np.array([0.0, 1.0, 1.0, np.nan], np.float32))
    binned = {"edges": [0.0, 0.5, math.inf], "counts": [1, 2]}
    matrix = {"labels": ["a", "b"], "matrix": [[1, 0], [2, 3]]}
    changes = one.deliver(
        media(one, "histogram", {"v.npy": values}, key="raw", data={"bins": 2, "num": 4}),
        media(one, "histogram", {}, key="bins", data=binned),
        media(one, "confusion_matrix", {}, key="cm", data=matrix),
        one.finished(),
    )

    files = store.files()
    raw = json.loads(files["media/histogram/raw/3.json"])
    assert (raw["counts"], raw["num"]) == ([1, 2], 4)
    assert json.loads(files["media/histogram/bins/3.json"])["edges"] == [0.0, 0.5, {"$float": "inf"}]
    assert json.loads(files["media/confusion_matrix/cm/3.json"]) == matrix
    drawings = [path for path in files if path.endswith(".svg")]
    assert len(drawings) == 3
    assert all(b"<svg" in files[path] for path in drawings)
    assert {change.what for change in changes} == {"degraded"}


def test_drawing_of_a_histogram(life: Lives, store: Store) -> None:
    """Each bin that can be drawn is a bar; the drawing is well-formed whatever key and numbers are."""
    one = life()
    key = "a<b>&\x07\ud800"
    edges = [-math.inf, -1e308, 0.0, 1e308, math.nan]
    one.deliver(media(one, "histogram", {}, key=key, data={"edges": edges, "counts": [1, 2, 3, 4]}))
    one.deliver(media(one, "histogram", {}, key="odd", data={"edges": "no", "counts": None}))

    files = store.files()
    (path,) = (path for path in files if path.endswith(".svg"))
    root = ElementTree.fromstring(files[path])  # noqa: S314  # written by us
    bars = [bar for bar in root if bar.find("{*}title") is not None]
    assert [float(bar.get("width", 0)) for bar in bars] == [277.5, 277.5]
    assert float(bars[1].get("height", 0)) == pytest.approx(1.5 * float(bars[0].get("height", 0)), abs=0.1)
    assert json.loads(files["media/histogram/odd/3.json"])["edges"] == "no"


def test_files_of_other_types(life: Lives, store: Store) -> None:
    """Sound, films, 3D and graphs are files as they were; a film of arrays can be watched, too."""
    one = life()
    film = array(np.zeros((3, 4, 4, 3), np.uint8))
    mesh = {
        "vertices.npy": array(np.zeros((3, 3), np.float32)),
        "faces.npy": array(np.zeros((1, 3), np.int32)),
    }
    one.deliver(
        media(one, "audio", {"s.wav": b"RIFF"}, data={"sample_rate": 8000}, caption="beep"),
        media(one, "video", {"v.npy": film}, data={"fps": 4}),
        media(one, "mesh", mesh, data={"parts": ["vertices", "faces"]}),
        media(one, "graph", {"g.pb": b"graph"}),
        media(one, "html", {}, text="<b>hi</b>"),
        one.finished(),
    )

    files = store.files()
    assert files["media/audio/x/y/3.wav"] == b"RIFF"
    assert files["media/video/x/y/3.npy"] == film
    assert getattr(Image.open(io.BytesIO(files["media/video/x/y/3.gif"])), "n_frames", 1) >= 1
    assert {path: files[f"media/mesh/x/y/3/{path}"] for path in mesh} == mesh
    assert files["media/graph/x/y/3.pb"] == b"graph"
    assert files["media/html/x/y/3.html"] == b"<b>hi</b>"
    facts = {fact["type"]: fact for fact in lines(store)}
    assert (facts["audio"]["caption"], facts["audio"]["data"]) == ("beep", {"sample_rate": 8000})
    assert [ref["path"] for ref in facts["mesh"]["files"]] == list(mesh)


@pytest.mark.parametrize("type", ["image", "table", "audio", "mesh"])
def test_content_that_is_gone(life: Lives, type: str) -> None:
    """A blob that is missing, and a digest that is a path, are refused by name."""
    one = life()
    for sha in ("0" * 64, "../../etc/passwd"):
        record = Media(time=START, key="k", step=0, type=type, file=FileRef("a.png", sha, 1))
        with pytest.raises(Reject):
            one.deliver(record)
    with pytest.raises(Reject):
        one.deliver(Media(time=START, key="k", step=0, type=type))


def test_no_way_out_of_the_folder(life: Lives, store: Store, tmp_path: Path) -> None:
    """A forged path of a file stays inside the run's artifacts."""
    one = life()
    with pytest.raises(Reject, match="leaves its folder"):
        one.deliver(media(one, "audio", {"../../evil.wav": b"x"}))
    assert not list(tmp_path.rglob("*evil*"))

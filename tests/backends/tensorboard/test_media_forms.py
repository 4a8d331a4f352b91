"""Media that are not what they should be: kept, named, reported; the run goes on."""

import builtins
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcast.backends.tensorboard.media import FORMS
from runcast.backends.tensorboard.media.solids import wavefront
from runcast.codec import decode
from runcast.errors import Reject
from runcast.records import FileRef, Media
from runcast.testing import strategies

Make = Callable[..., Any]
T = 1_700_000_000_123_456_789


def bad(run: Any) -> dict[str, tuple[str, list[FileRef], dict[str, Any]]]:
    """Case → type, files, data."""
    junk = run.file("junk.npy", b"\x93NUMPY\x01\0 junk")
    points = run.array("p.npy", np.zeros((4, 3), np.float32))
    faces = run.array("f.npy", np.full((1, 3), 9, np.int32))
    return {
        "no file": ("audio", [], {}),
        "junk array": ("image", [junk], {}),
        "junk picture": ("image", [run.file("a.webp", b"RIFFnothingWEBP")], {}),
        "junk video": ("video", [junk], {}),
        "junk values": ("histogram", [junk], {}),
        "wrong shape": ("point_cloud", [run.array("x.npy", np.zeros((2, 2, 2), np.float32))], {}),
        "no vertex": ("mesh", [run.array("e.npy", np.zeros((0, 3), np.float32))], {"parts": ["vertices"]}),
        "parts that lack": ("mesh", [points], {"parts": ["vertices", "faces"]}),
        "faces out of range": ("mesh", [points, faces], {"parts": ["vertices", "faces"]}),
        "no vectors": ("embedding", [run.array("v.npy", np.zeros((0, 3), np.float32))], {}),
        "ragged counts": ("histogram", [], {"edges": [0.0, 1.0], "counts": [1, 2]}),
        "NaN edges": ("histogram", [], {"edges": [0.0, float("nan")], "counts": [1]}),
        "no classes": ("pr_curve", [], {}),
        "no thresholds": ("pr_curve", [], {"classes": [{"label": "a", "thresholds": []}]}),
        "not square": ("confusion_matrix", [], {"labels": ["a"], "matrix": []}),
        "junk table": ("table", [run.file("t.table.json", b"[]")], {}),
        "junk object": ("object3d", [run.file("o.obj", b"f a b c")], {}),
        "unknown": ("hologram", [run.file("h.bin", b"?")], {}),
    }  # fmt: skip


CASES = (
    "no file", "junk array", "junk picture", "junk video", "junk values", "wrong shape", "no vertex",
    "parts that lack", "faces out of range", "no vectors", "ragged counts", "NaN edges", "no classes",
    "no thresholds", "not square", "junk table", "junk object", "unknown",
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_content_that_cannot_be_shown_is_kept(delivery: Make, case: str) -> None:
    """Its files beside the events, the reason in the report and among the texts."""
    run = delivery()
    cases = bad(run)
    assert tuple(cases) == CASES
    type_, files, data = cases[case]
    (change,) = run.media(type_, "k", *files, data=data)

    assert (change.what, change.key) == ("degraded", "k")
    assert change.detail.startswith("not shown, only kept in the run's folder: ")
    (event,) = run.events()
    ((tag, text),) = [(value.tag, value.value) for value in event.values]
    assert tag == "k/text_summary"
    assert f"{type_}, not shown: " in text
    for file in files:
        (place,) = (run.path / "media/k").glob(f"0-{file.sha256[:16]}*")
        assert place.read_bytes() == run.opened.blob(file).read_bytes()
        assert f"`media/k/{place.name}`" in text


anything = st.dictionaries(
    st.sampled_from([
        "items", "edges", "counts", "classes", "labels", "matrix", "names", "values", "predicted", "observed",
        "errors", "fps", "bins", "parts", "width",
    ]),
    strategies.settings() | st.lists(st.lists(st.floats(), max_size=3), max_size=3),
    max_size=5,
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(type_=st.sampled_from(sorted(FORMS)), data=anything, key=strategies.names(), number=st.uuids())
def test_no_data_harms_the_run(delivery: Make, type_: str, data: Any, key: str, number: Any) -> None:
    """Whatever stands in `data`: the value gets a form or a report, and nothing is raised."""
    run = delivery(run=str(number), name=str(number))
    array = run.array("x.npy", np.zeros((3, 3), np.float32))
    changes = run.media(type_, key, array, data=data, step=1)
    run.media(type_, key, data=data, step=2)
    shown = [value for event in run.events() for value in event.values]
    run.close()

    assert {change.key for change in changes} <= {key}
    assert shown or type_ == "graph"


def test_missing_content_is_refused(delivery: Make) -> None:
    """A blob that is gone is named, so that it is set aside rather than forgotten."""
    run = delivery()

    with pytest.raises(Reject, match=r"image 'k': the content of 'a\.png' is not among the journal's blobs"):
        run.media("image", "k", FileRef("a.png", "0" * 64, 5))


def test_content_that_stays_elsewhere_is_named(delivery: Make) -> None:
    """A reference is no error: its place is said."""
    run = delivery()
    (change,) = run.media("image", "k", FileRef("a.png", "", 5, uri="s3://bucket/a.png"))

    assert "its content stays at s3://bucket/a.png" in change.detail


@pytest.mark.parametrize("path", ["../../out.png", "/etc/out", "a/..", "x\0y.png", "é" * 300])
def test_no_path_leads_out_of_the_folder(delivery: Make, path: str) -> None:
    """Only the ending of a file's path counts for where it is kept."""
    run = delivery()
    run.media("hologram", "../k", run.file(path, b"content"))

    (place,) = (p for p in run.path.rglob("0-*"))
    assert place.parent.parent == run.path / "media"
    assert place.stat().st_mode & 0o077 == 0


def test_without_pillow_there_is_the_table(delivery: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the mend."""
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("PIL"):
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    run = delivery()
    (change,) = run.media("feature_importance", "fi", data={"names": ["age"], "values": [0.5]})

    assert "pip install 'runcast[media]'" in change.detail
    ((value,),) = [event.values for event in run.events()]
    assert "| age | 0.5 |" in value.value


def test_counts_that_are_not_known_are_reported(delivery: Make) -> None:
    """Points without counts, as scikit-learn gives them: one point more than thresholds."""
    run = delivery()
    curve = {
        "label": "a",
        "thresholds": [3.0, -1.0],
        "precision": [1.0, 0.5, 0.25],
        "recall": [0.0, 0.5, 1.0],
    }
    changes = run.media("pr_curve", "k", data={"classes": [curve]})

    assert ["counts are not known" in c.detail for c in changes] == [False, True]
    assert "from -1 to 3" in changes[0].detail
    assert [value.plugin for event in run.events() for value in event.values] == ["pr_curves"]


def test_an_obj_file_is_cut_into_triangles() -> None:
    """Faces of four corners, numbers from the end, corners with normals."""
    vertices, faces = wavefront(
        "v 0 0 0\nv 1 0 0 1.0\n# c\n\nv 1 1 0\nv 0 1 0\nf 1/1 2/2 3/3 4/4\nf -3//1 -2 -1\n"
    )

    assert vertices == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert faces == [[0, 1, 2], [0, 2, 3], [1, 2, 3]]


def test_a_second_value_of_one_step_is_reported(delivery: Make) -> None:
    """TensorBoard shows the last alone; the file has both."""
    run = delivery()
    for number in (1, 2):
        run.media("histogram", "h", data={"edges": [0.0, 1.0], "counts": [number]})

    assert ["came after step 0" in change.detail for change in run.changes] == [True]
    assert len(run.events()) == 2


def test_hostile_names_get_legal_tags(delivery: Make) -> None:
    """The document says which is which."""
    run = delivery()
    run.media("histogram", "_runcast_/\ud800", data={"edges": [0.0, 1.0], "counts": [1]}, caption="c")
    keys = json.loads((run.path / "runcast.json").read_text())["keys"]

    assert {keys[value.tag] for event in run.events() for value in event.values} == {"_runcast_/\ud800"}


def test_a_table_of_nothing_and_a_long_caption(delivery: Make) -> None:
    """Empty tables have a head; a caption is shown whole."""
    run = delivery()
    table = run.file("t.table.json", b'{"columns": ["a", "b"], "data": []}')
    (change,) = run.media("table", "t", table, caption="c" * 10_000)
    assert change.detail == "shown as a text; the whole is a file in the run's folder"
    ((value,),) = [event.values for event in run.events()]
    assert "| a | b |" in value.value
    assert "c" * 10_000 in value.value


def test_nothing_is_imported_for_plain_runs() -> None:
    """Neither NumPy nor Matplotlib nor TensorBoard comes with the backend."""
    heavy = ["numpy", "PIL", "matplotlib", "torch", "tensorboard"]
    code = f"import sys, runcast.backends.tensorboard; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_media_are_exact_in_the_record(delivery: Make) -> None:
    """Also where the form is a lesser one."""
    run = delivery()
    run.media("calibration", "c", data={"predicted": [float("nan")], "observed": [1.0], "counts": [2**70]})
    (event,) = run.events()

    record = decode(event.record)
    assert isinstance(record, Media)
    assert record.data["counts"] == [2**70]
    assert repr(record.data["predicted"]) == "[nan]"

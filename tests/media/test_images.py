"""Images: every form in which people have them, and pixels that no screen can show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure
from PIL import Image as Pillow

import runcast

from .reading import array_of, log, logged, lost, path_of

RAMP = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (RAMP, RAMP),
        (RAMP.transpose(2, 0, 1), RAMP),
        (RAMP[:, :, 0], RAMP[:, :, 0]),
        (RAMP[:, :, :1], RAMP[:, :, 0]),
        (RAMP[::2, ::-1], RAMP[::2, ::-1]),
        (RAMP.astype(np.int64), RAMP),
        (RAMP / 255, RAMP),
        ((RAMP / 255).astype(np.float16), RAMP),
        (RAMP.astype(np.uint16) << 8, RAMP),
        (RAMP > 50, (RAMP > 50) * np.uint8(255)),
        (RAMP.tolist(), RAMP),
        (torch.from_numpy(RAMP).permute(2, 0, 1), RAMP),
        ((torch.from_numpy(RAMP) / 255).requires_grad_(), RAMP),
        (Pillow.fromarray(RAMP), RAMP),
        (np.ma.masked_array(RAMP), RAMP),
    ],
)
def test_pixels_arrive_as_bytes_rows_first(run: runcast.Run, given: Any, seen: np.ndarray) -> None:
    """Arrays, tensors with a gradient, lists and PIL images of any layout and type give the same picture."""
    record = log(run, runcast.Image(given, caption="a ramp"))

    assert record.type == "image"
    assert record.caption == record.data["items"][0]["caption"] == "a ramp"
    assert {k: record.data["items"][0][k] for k in ("width", "height")} == {
        "width": seen.shape[1],
        "height": seen.shape[0],
    }
    pixels = array_of(record.contents[0])
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - seen).max() <= (
        given.dtype == np.float16 if isinstance(given, np.ndarray) else 0
    )
    assert lost(run) == []


def test_bfloat16_tensors_are_pictures_too(run: runcast.Run) -> None:
    """NumPy has no such type; half a percent of brightness is all that it costs."""
    record = log(run, runcast.Image((torch.from_numpy(RAMP) / 255).bfloat16()))

    assert np.abs(array_of(record.contents[0]).astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize(
    ("given", "layout", "shape"),
    [
        (np.zeros((3, 9, 3)), None, (3, 9, 3)),
        (torch.zeros((3, 9, 3)), None, (9, 3, 3)),
        (np.zeros((3, 9, 3)), "CHW", (9, 3, 3)),
        (torch.zeros((3, 9, 3)), "HWC", (3, 9, 3)),
        (np.zeros((4, 2, 5)), None, (2, 5, 4)),
    ],
)
def test_where_both_ends_may_be_channels_the_rule_is_known(
    run: runcast.Run, given: Any, layout: Any, shape: tuple[int, ...]
) -> None:
    """Arrays count as H×W×C, tensors as C×H×W, and `layout` decides."""
    record = log(run, runcast.Image(given, layout=layout))

    assert array_of(record.contents[0]).shape == shape


def test_several_pictures_are_one_record(run: runcast.Run) -> None:
    """A list, and a batch, with a caption each."""
    listed = log(run, [runcast.Image(RAMP, caption="one"), runcast.Image(RAMP[:, :, 0], caption="two")])
    batch = log(run, runcast.Image(torch.zeros(6, 3, 4, 5), caption=["a", "b"], columns=3))

    assert [item.get("caption") for item in listed.data["items"]] == ["one", "two"]
    assert [array_of(file).shape for file in listed.contents] == [(5, 7, 3), (5, 7)]
    assert [item.get("caption") for item in batch.data["items"]] == ["a", "b", None, None, None, None]
    assert (len(batch.contents), batch.data["columns"]) == (6, 3)


def test_what_does_not_fit_several_pictures_is_told(run: runcast.Run) -> None:
    """Marks belong to one picture; a whole data set is no value of a run."""
    marked = log(run, runcast.Image([RAMP, RAMP], masks={"m": RAMP[:, :, 0]}))
    many = log(run, runcast.Image(np.zeros((1002, 2, 2, 3), np.uint8)))

    assert [sorted(item) for item in marked.data["items"]] == [["height", "width"]] * 2
    assert len(many.contents) == 1000
    assert ["masks" in one.reason for one in lost(run)] == [True, False]


class OnDevice:
    """An array as CuPy has them: it cannot be read but by `get`."""

    __module__ = "cupy"

    def __array__(self, *_: Any) -> Any:
        raise TypeError("implicit conversion is not allowed")

    def get(self) -> Any:
        return RAMP


class Convertible:
    """An array as JAX and TensorFlow have them."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        return RAMP


@pytest.mark.parametrize("value", [OnDevice(), Convertible(), [Convertible()]])
def test_arrays_of_other_libraries_are_read_by_their_own_door(run: runcast.Run, value: Any) -> None:
    """`get` of CuPy, `__array__` of the others, alone and in lists."""
    assert np.array_equal(array_of(log(run, runcast.Image(value)).contents[0]), RAMP)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_an_encoded_picture_stays_as_it_was(run: runcast.Run, project: Path, form: str) -> None:
    """From a path and from bytes, bit for bit."""
    out = io.BytesIO()
    Pillow.fromarray(RAMP).save(out, form)
    Path("picture").write_bytes(out.getvalue())
    from_path, from_bytes = log(run, runcast.Image("picture")), log(run, runcast.Image(out.getvalue()))

    assert path_of(from_path.contents[0]).read_bytes() == out.getvalue()
    assert from_path.contents == from_bytes.contents
    assert from_path.data["items"] == [{"width": 7, "height": 5}]


def test_a_form_that_no_browser_shows_becomes_pixels(run: runcast.Run) -> None:
    """TIFF, for one."""
    out = io.BytesIO()
    Pillow.fromarray(RAMP).save(out, "TIFF")

    assert np.array_equal(array_of(log(run, runcast.Image(out.getvalue())).contents[0]), RAMP)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_pil_images_of_every_mode_need_no_wrapper(run: runcast.Run, mode: str) -> None:
    """They are recognised without an import of PIL by runcast."""
    record = log(run, Pillow.new(mode, (4, 3)))

    pixels = array_of(record.contents[0])
    assert pixels.shape[:2] == (3, 4)
    assert pixels.dtype == np.uint8


def test_figures_are_drawn_at_the_call(run: runcast.Run) -> None:
    """What the script draws into it afterwards is not in the picture; no wrapper is needed."""
    figure = Figure(figsize=(2, 1), dpi=100)
    axes = figure.subplots()
    axes.plot([1, 2])
    first, again = log(run, figure), log(run, runcast.Figure(axes))
    axes.plot([3, 1])
    later, image = log(run, runcast.Figure(figure)), log(run, runcast.Image(figure))

    assert (first.type, first.data) == ("figure", {"library": "matplotlib", "width": 200, "height": 100})
    assert first.contents == again.contents != later.contents
    with Pillow.open(path_of(first.contents[0])) as drawn:
        assert drawn.size == (200, 100)
    assert (image.type, image.data["items"]) == ("image", [{"width": 200, "height": 100}])


def test_plotly_figures_stay_interactive(run: runcast.Run) -> None:
    """Kept as plotly's own JSON, with secrets masked value by value."""
    import plotly.io
    from plotly import graph_objects

    url = "postgresql://me:s3cr3t-p4ssw0rd@db/x"
    figure = graph_objects.Figure(graph_objects.Scatter(y=[1, 3, 2]), layout={"title": url, "width": 300})
    record = log(run, figure)

    text = path_of(record.contents[0]).read_text()
    assert "s3cr3t" not in text
    assert list(plotly.io.from_json(text).data[0].y) == [1, 3, 2]
    assert record.data == {"library": "plotly", "width": 300}
    assert log(run, runcast.Image(figure)).type == "figure"


def test_masks_and_boxes_lie_on_their_image(run: runcast.Run) -> None:
    """In runcast's form and in W&B's; what is wrong with one does not cost the others."""
    classes = np.zeros((5, 7), dtype=np.int64)
    classes[0, 0] = 300
    place = {"minX": 1, "maxX": 3, "minY": 0, "maxY": 2}
    record = log(
        run,
        runcast.Image(
            RAMP,
            masks={
                "truth": {"mask": classes, "classes": {300: "cat"}},
                "guess": {"mask_data": torch.zeros(5, 7), "class_labels": {0: "sky"}},
                "wrong": np.zeros((2, 2)),
            },
            boxes={
                "found": {
                    "boxes": [
                        {
                            "position": place,
                            "domain": "pixel",
                            "class_id": 1,
                            "caption": "x",
                            "scores": {"p": 0.5},
                        },
                        {"position": {"middle": [0.5, 0.5], "width": 0.2, "height": 0.4}, "class_id": 2},
                        {"position": {"minX": 0}},
                    ],
                    "classes": {1: "dog"},
                }
            },
        ),
    )

    (item,) = record.data["items"]
    assert item["masks"] == {
        "truth": {"file": 1, "classes": {"300": "cat"}},
        "guess": {"file": 2, "classes": {"0": "sky"}},
    }
    assert array_of(record.contents[1]).dtype == np.uint16
    assert np.array_equal(array_of(record.contents[1]), classes)
    assert array_of(record.contents[2]).dtype == np.uint8
    first, second = item["boxes"]["found"]["boxes"]
    assert first == {
        "position": place,
        "domain": "pixel",
        "class_id": 1,
        "caption": "x",
        "scores": {"p": 0.5},
    }
    assert second["position"] == pytest.approx({"minX": 0.4, "maxX": 0.6, "minY": 0.3, "maxY": 0.7})
    assert sorted("mask" if "mask" in one.reason else "box" for one in lost(run)) == ["box", "mask"]


def test_pixels_that_no_screen_shows_are_clipped_and_reported(run: runcast.Run) -> None:
    """NaN is black, inf is white, the rest goes to the nearest end; one report each, however often."""
    for _ in range(3):
        record = log(run, runcast.Image(np.array([[np.nan, np.inf, -np.inf, 2.0, -1.0, 0.5]])))

    assert array_of(record.contents[0]).tolist() == [[0, 255, 0, 255, 0, 128]]
    assert sorted(one.detail or "" for one in lost(run)) == ["3 of 6", "from -1 to 2"]


def test_whole_numbers_beyond_a_byte_are_reported(run: runcast.Run) -> None:
    """A label map that was meant as a picture does not pass in silence."""
    record = log(run, runcast.Image(np.array([[-5, 100, 700]])))

    assert array_of(record.contents[0]).tolist() == [[0, 100, 255]]
    assert lost(run)[0].detail == "from -5 to 700"


def test_rounding_above_one_is_no_loss(run: runcast.Run) -> None:
    """Interpolation gives 1.0000001; that is white, and worth no report."""
    log(run, runcast.Image(np.full((2, 2), 1.0000001)))

    assert lost(run) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        st.sampled_from(
            ["uint8", "bool", "uint16", "int32", "float32", "float64", "float16", "complex64", "U3"]
        ),
        hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
    )
)
def test_any_array_is_a_picture_or_a_clear_report(run: runcast.Run, array: np.ndarray) -> None:
    """Whatever shape, dtype and value, in a script with strict arithmetic: it can be shown, or is told."""
    before, told = len(logged(run)), sum(one.count for one in lost(run))
    with np.errstate(all="raise"):
        run.log({"im": runcast.Image(array), "loss": 1.0})
    run._trouble.settle(1)

    found = logged(run)[before:]
    for record in found:
        for file in record.contents:
            pixels = array_of(file)
            assert pixels.dtype == np.uint8
            assert pixels.size
            assert pixels.ndim == 2 or pixels.shape[2] in (3, 4)
    assert found or sum(one.count for one in lost(run)) > told

"""Text, sound, film, distributions, things in space, embeddings and graphs, read back as their readers do."""

from __future__ import annotations

import json
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow

import runcast
from runcast.journal import Layout

from .reading import array_of, log, logged, lost, path_of


def test_text_and_html_stand_in_the_record(run: runcast.Run, project: Path) -> None:
    """Short ones as text, with the format that the script names; an HTML file by its content."""
    Path("page.html").write_text("<b>file</b>")
    text = log(run, runcast.Text("**hi**", markdown=True, metadata={"epoch": 3}))

    assert (text.type, text.text, text.data) == (
        "text",
        "**hi**",
        {"format": "markdown", "metadata": {"epoch": 3}},
    )
    assert log(run, runcast.Html("<i>x</i>")).text == "<i>x</i>"
    assert (
        log(run, runcast.Html("page.html")).text
        == log(run, runcast.Html(Path("page.html"))).text
        == "<b>file</b>"
    )


def test_long_text_becomes_a_file(run: runcast.Run) -> None:
    """Lines of the journal stay readable; lone surrogates are kept."""
    record = log(run, runcast.Text("ä\ud800" * 600_000))

    assert record.text is None
    assert path_of(record.contents[0]).read_text("utf-8", "surrogatepass") == "ä\ud800" * 600_000


@pytest.mark.parametrize(
    ("samples", "channels", "frames"),
    [
        (np.linspace(-1, 1, 100), 1, 100),
        (np.zeros((100, 2)), 2, 100),
        (np.zeros((2, 100)), 2, 100),
        (torch.zeros(5, 90), 5, 90),
        (np.zeros((100, 1), dtype=np.int16), 1, 100),
        (np.zeros(77, dtype=np.uint8), 1, 77),
        ([0.0, 0.5, -0.5], 1, 3),
    ],
)
def test_samples_become_a_wav_that_plays(run: runcast.Run, samples: Any, channels: int, frames: int) -> None:
    """Python's own reader agrees about rate, channels and frames."""
    record = log(run, runcast.Audio(samples, 16_000, caption="c"))

    assert record.data == {"sample_rate": 16_000, "channels": channels, "frames": frames}
    with wave.open(str(path_of(record.contents[0]))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, channels, frames)


def test_samples_keep_their_values(run: runcast.Run) -> None:
    """16 bits by default, bit for bit as floats where asked; a third-party reader sees the same."""
    from scipy.io import wavfile

    sound = np.sin(np.linspace(0, 50, 1001)).astype(np.float32)
    rate, plain = wavfile.read(path_of(log(run, runcast.Audio(sound, 8000)).contents[0]))
    _, exact = wavfile.read(path_of(log(run, runcast.Audio(sound, 8000, encoding="float32")).contents[0]))

    assert rate == 8000
    assert np.abs(plain / 32767 - sound).max() < 2e-5
    assert np.array_equal(exact, sound)


def test_loud_and_broken_samples_are_reported(run: runcast.Run) -> None:
    """Clipped, or silent where they are not finite."""
    record = log(run, runcast.Audio([0.0, 3.0, math.nan, -math.inf], 8000))

    with wave.open(str(path_of(record.contents[0]))) as file:
        assert np.frombuffer(file.readframes(4), "<i2").tolist() == [0, 32767, 0, 0]
    assert len(lost(run)) == 2


def test_a_recording_stays_as_it_was(run: runcast.Run, project: Path) -> None:
    """A WAV file tells its own rate and length."""
    with wave.open("a.wav", "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(bytes(400))
    record = log(run, runcast.Audio("a.wav"))

    assert path_of(record.contents[0]).read_bytes() == Path("a.wav").read_bytes()
    assert record.data == {"sample_rate": 44_100, "channels": 2, "frames": 100}


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, 3, 6, 8), np.uint8),
        np.zeros((4, 6, 8, 3), np.uint8),
        torch.zeros(4, 1, 6, 8),
        np.zeros((4, 6, 8)),
        [np.zeros((6, 8, 3))] * 4,
        np.zeros((4, 6, 8, 4), np.uint8),
    ],
)
def test_frames_are_kept_rows_first_with_three_channels(run: runcast.Run, frames: Any) -> None:
    """Every layout, as bytes; the courier encodes them."""
    record = log(run, runcast.Video(frames, fps=12))

    assert array_of(record.contents[0]).shape == (4, 6, 8, 3)
    assert record.data == {"fps": 12, "frames": 4, "width": 8, "height": 6}


def test_a_film_stays_as_it_was(run: runcast.Run, project: Path) -> None:
    """By its path."""
    Path("film.MP4").write_bytes(b"film")

    (file,) = log(run, runcast.Video("film.MP4", fps=24)).contents
    assert (file.path, path_of(file).read_bytes()) == ("video.mp4", b"film")


@pytest.mark.parametrize(
    "values", [torch.arange(6.0).reshape(2, 3), list(range(6)), np.arange(6, dtype=np.int8)]
)
def test_a_histogram_keeps_its_values_and_sums(run: runcast.Run, values: Any) -> None:
    """Flat, in the order given."""
    record = log(run, runcast.Histogram(values, bins=3))

    assert array_of(record.contents[0]).tolist() == [0, 1, 2, 3, 4, 5]
    assert record.data == {
        "bins": 3, "num": 6, "min": 0.0, "max": 5.0, "sum": 15.0, "sum_squares": 55.0, "nonfinite": 0
    }  # fmt: skip


def test_ready_bins_need_no_file(run: runcast.Run) -> None:
    """Edges and counts as they are."""
    record = log(run, runcast.Histogram(edges=np.array([0, 1, 3]), counts=torch.tensor([2, 0])))

    assert record.contents == []
    assert (record.data["edges"], record.data["counts"], record.data["num"]) == ([0.0, 1.0, 3.0], [2, 0], 2)


def test_values_that_are_not_finite_are_counted(run: runcast.Run) -> None:
    """They stay in the file, out of the sums, and are reported once."""
    for _ in range(3):
        record = log(run, runcast.Histogram([1.0, math.nan, 3.0, math.inf]))

    assert (record.data["num"], record.data["nonfinite"], record.data["max"]) == (2, 2, 3.0)
    assert [one.detail for one in lost(run)] == ["2 of 4"]


def test_a_large_array_is_digested_by_the_courier(run: runcast.Run) -> None:
    """The training thread only writes it; what backends get is a blob as any other."""
    frames = np.random.default_rng(0).integers(0, 255, (8, 256, 256, 3)).astype(np.uint8)
    run.log({"film": runcast.Video(frames)})
    held = [path.stat().st_size for path in (Layout(".runcast").blobs / "held").iterdir()]
    (record,) = logged(run)

    assert held == [record.contents[0].size]
    assert np.array_equal(array_of(record.contents[0]), frames)


@pytest.mark.parametrize("scale", [1.0, 1e-305, 1e305, 0.0])
def test_the_weights_of_a_model_do_not_fill_the_disk(run: runcast.Run, scale: float) -> None:
    """Over 1 MiB the bins are kept, as NumPy counts them, not the values."""
    values = np.random.default_rng(0).standard_normal(300_000).clip(-100, 100) * scale
    values[7] = math.nan
    record = log(run, runcast.Histogram(values, bins=50))

    finite = values[np.isfinite(values)]
    assert record.contents == []
    assert (record.data["num"], record.data["nonfinite"]) == (299_999, 1)
    assert sum(record.data["counts"]) == 299_999
    assert (np.diff(record.data["edges"]) > 0).all()
    assert record.data["edges"][0] <= finite.min() <= finite.max() <= record.data["edges"][-1]
    if scale == 1.0:
        counts, edges = np.histogram(finite, 50)
        assert np.allclose(record.data["edges"], edges)
        assert np.abs(counts - record.data["counts"]).sum() <= 4  # at the edges rounding decides


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        st.sampled_from(["float16", "float32", "float64", "int64", "uint8", "bool"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
    )
)
def test_any_numbers_are_a_histogram_or_a_clear_report(run: runcast.Run, values: np.ndarray) -> None:
    """Whatever shape and value, in a script with strict arithmetic: what is kept adds up."""
    before = len(logged(run))
    with np.errstate(all="raise"):
        run.log({"h": runcast.Histogram(values)})

    finite = np.isfinite(values.astype(np.float64))
    found = logged(run)[before:]
    assert len(found) == bool(finite.any())
    for record in found:
        assert record.data["num"] + record.data["nonfinite"] == values.size
        assert record.data["num"] == finite.sum()
        assert array_of(record.contents[0]).size == values.size


def test_things_in_space(run: runcast.Run, project: Path) -> None:
    """Files, clouds and meshes; a wrong part of a mesh does not cost the rest."""
    Path("a.glb").write_bytes(b"glTF")
    file = log(run, runcast.Object3D("a.glb"))
    cloud = log(run, runcast.PointCloud([[0, 0, 0, 255, 0, 0], [1, 1, math.nan, 0, 0, 0]]))
    mesh = log(run, runcast.Mesh(np.eye(3), faces=[[0, 1, 2]], colors=np.eye(3)))
    broken = log(run, runcast.Mesh(np.eye(3), faces=[[0, 1, 9]]))

    assert (file.data, path_of(file.contents[0]).read_bytes()) == ({"format": "glb"}, b"glTF")
    assert array_of(cloud.contents[0]).tolist() == [[0, 0, 0, 255, 0, 0]]
    assert mesh.data == {"parts": ["vertices", "colors", "faces"]}
    assert [array_of(part).dtype.name for part in mesh.contents] == ["float32", "uint8", "int32"]
    assert broken.data == {"parts": ["vertices"]}
    assert [one.key for one in lost(run)] == ["v", "v"]


def test_an_embedding_has_labels_and_a_sprite(run: runcast.Run) -> None:
    """TSV and a square of pictures, as TensorBoard's projector reads them."""
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8) * 50
    record = log(run, runcast.Embedding(np.eye(5), [*list("abcd"), "e\tf\n"], images=pictures))

    assert record.data == {"rows": 5, "dims": 5, "parts": ["vectors", "metadata", "sprite"], "sprite": [6, 4]}
    vectors, labels, sprite = record.contents
    assert array_of(vectors).tolist() == np.eye(5).tolist()
    assert path_of(labels).read_text() == "a\nb\nc\nd\ne f\n"
    with Pillow.open(path_of(sprite)) as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (12, 18, 3)
    assert [int(pixels[i // 3 * 4, i % 3 * 6, 0]) for i in range(6)] == [0, 50, 100, 150, 200, 0]


def test_labels_of_several_columns_have_a_header(run: runcast.Run) -> None:
    """Names first; a wrong number of labels is told, and the vectors are kept."""
    record = log(run, runcast.Embedding(np.eye(2), [{"name": "a", "n": 1}, {"name": "b", "n": 2}]))
    wrong = log(run, runcast.Embedding(np.eye(2), ["a"]))

    assert path_of(record.contents[1]).read_text() == "name\tn\na\t1\nb\t2\n"
    assert wrong.data["parts"] == ["vectors"]
    assert "need as many rows" in lost(run)[0].reason


def test_a_graph_is_what_tensorboard_reads(run: runcast.Run) -> None:
    """The module's layers are nodes of a GraphDef; its mode stays as it was."""
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    record = log(run, runcast.Graph(model, torch.zeros(1, 3)))

    graph = GraphDef.FromString(path_of(record.contents[0]).read_bytes())
    assert len(graph.node) == record.data["nodes"]
    assert any("Linear" in node.name for node in graph.node)
    assert model.training


def test_a_module_that_cannot_be_traced_is_told(run: runcast.Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The example does not fit; training goes on, and nothing is printed among its own words."""
    layer = torch.nn.Linear(3, 2)
    run.log({"shape": runcast.Graph(layer, torch.zeros(1, 7)), "no": runcast.Graph(layer, None)})
    run.log({"what": runcast.Graph(3, torch.zeros(1))})

    assert logged(run) == []
    reasons = {one.key: one.reason for one in lost(run)}
    assert "cannot be traced" in reasons["shape"]
    assert "needs an input" in reasons["no"]
    assert "give a torch.nn.Module" in reasons["what"]
    assert capsys.readouterr().out == ""


def test_other_values_in_a_list_get_numbers(run: runcast.Run) -> None:
    """Nothing is lost, and each has a name of its own."""
    run.log({"t": [runcast.Text("a"), runcast.Text("b")]})

    assert [(record.key, record.text) for record in logged(run)] == [("t/0", "a"), ("t/1", "b")]


def test_a_value_can_be_anything_inside(run: runcast.Run) -> None:
    """Subclasses, and metadata of every kind, are kept as JSON."""

    class Mine(runcast.Text):
        pass

    class Word(str):
        __slots__ = ()

    record = log(run, Mine(Word("x"), caption=Word("c"), metadata={"path": Path("a"), "n": np.float32(0.5)}))

    assert (record.text, type(record.text), record.caption) == ("x", str, "c")
    assert json.loads(json.dumps(record.data["metadata"])) == {"path": "a", "n": 0.5}

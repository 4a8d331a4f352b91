"""Values for TensorBoard's dashboards are the messages that its own plugins expect."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, graph_pb2, summary_pb2, tensor_pb2
from tensorboard.plugins.audio import metadata as audio_metadata
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.mesh import metadata as mesh_metadata
from tensorboard.plugins.pr_curve import metadata as curve_metadata
from tensorboard.util import tensor_util

from runcast.formats import tfevents
from runcast.formats.tfevents import MeshPart
from runcast.formats.tfevents.tensors import Dtype, array_tensor, string_tensor

TAGS = st.text(st.characters(exclude_categories=["Cs"]))
STRINGS = st.lists(st.binary(max_size=200), max_size=5)


def parsed(value: bytes) -> tuple[Any, Any, str]:
    """Tensor, the plugin's own bytes and the plugin's name, by TensorBoard's protobufs."""
    message = summary_pb2.Summary.Value.FromString(value)
    data = message.metadata.plugin_data
    return tensor_util.make_ndarray(message.tensor), data.content, data.plugin_name


@given(TAGS, st.integers(0, 1 << 31), STRINGS)
def test_images(tag: str, width: int, images: list[bytes]) -> None:
    """Width, height and every image; a sequence of blobs."""
    value = tfevents.image_value(tag, (width, 7), images)

    array, content, plugin = parsed(value)

    assert list(array) == [str(width).encode(), b"7", *images]
    assert (plugin, image_metadata.parse_plugin_metadata(content).version) == ("images", 0)
    message = summary_pb2.Summary.Value.FromString(value)
    assert message.tag == tag
    assert message.metadata.data_class == summary_pb2.DATA_CLASS_BLOB_SEQUENCE
    (ours,) = tfevents.parse_event(tfevents.event(1, 2, value)).values
    assert isinstance(ours.value, bytes)
    assert tfevents.tensor_strings(ours.value)[2:] == images


@pytest.mark.parametrize(("wav", "encoding"), [(True, "WAV"), (False, "UNKNOWN")])
def test_audio(wav: bool, encoding: str) -> None:
    """One clip with an empty label, as TensorBoard turns older files into."""
    array, content, plugin = parsed(tfevents.audio_value("a", b"RIFF", wav))

    assert array.tolist() == [[b"RIFF", b""]]
    assert plugin == "audio"
    data = audio_metadata.parse_plugin_metadata(content)
    assert audio_metadata.Encoding.Name(data.encoding) == encoding


@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats()), max_size=20))
def test_histograms(rows: list[tuple[float, float, float]]) -> None:
    """Doubles, three to a bucket; none at all too."""
    buckets = np.array(rows, "<f8").reshape(-1, 3)

    array, content, plugin = parsed(tfevents.histogram_value("h", buckets.tobytes()))

    assert array.dtype == np.float64
    assert np.array_equal(array, buckets, equal_nan=True)
    assert (plugin, histogram_metadata.parse_plugin_metadata(content).version) == ("histograms", 0)


def test_pr_curves() -> None:
    """Six rows, and the number of thresholds."""
    rows = np.arange(30, dtype="<f4").reshape(6, 5)

    array, content, plugin = parsed(tfevents.pr_curve_value("c", 5, rows.tobytes()))

    assert np.array_equal(array, rows)
    assert (plugin, curve_metadata.parse_plugin_metadata(content).num_thresholds) == ("pr_curves", 5)


def test_meshes() -> None:
    """Each part under a name that says what it is, with what TensorBoard puts the parts together by."""
    parts = {
        MeshPart.VERTEX: np.arange(12, dtype="<f4").reshape(1, 4, 3),
        MeshPart.FACE: np.arange(3, dtype="<i4").reshape(1, 1, 3),
        MeshPart.COLOR: np.arange(12, dtype="u1").reshape(1, 4, 3),
    }
    values = tfevents.mesh_values("m", {part: array.tobytes() for part, array in parts.items()})

    for value, (part, expected) in zip(values, parts.items(), strict=True):
        array, content, plugin = parsed(value)
        data = mesh_metadata.parse_plugin_metadata(content)
        assert (plugin, data.name, data.content_type) == ("mesh", "m", part)
        assert data.components == mesh_metadata.get_components_bitmask(list(parts))
        assert list(data.shape) == list(expected.shape)
        assert array.dtype == expected.dtype
        assert np.array_equal(array, expected)
        tag = summary_pb2.Summary.Value.FromString(value).tag
        assert tag == mesh_metadata.get_instance_name("m", part)


def test_graphs() -> None:
    """The bytes as they were; the record beside them is ours alone."""
    graph = graph_pb2.GraphDef()
    graph.node.add(name="x", op="Placeholder")
    payload = tfevents.graph_event(5, 7, graph.SerializeToString(), b'{"kind":"media"}')

    event = event_pb2.Event.FromString(payload)

    assert (event.step, graph_pb2.GraphDef.FromString(event.graph_def)) == (7, graph)
    ours = tfevents.parse_event(payload)
    assert (ours.time, ours.record, ours.other[4]) == (5, b'{"kind":"media"}', graph.SerializeToString())


@given(st.binary(), st.booleans())
def test_the_record_comes_back(record: bytes, scalars: bool) -> None:
    """Whatever it holds, with values or without; TensorBoard sees the values alone."""
    record = record or b"{}"
    payload = tfevents.event(1, 2, record=record)
    if scalars:
        payload = tfevents.with_record(tfevents.ScalarEncoder().event(1, 2, {"a": 0.5}, []), record)

    assert tfevents.parse_event(payload).record == record
    assert [v.simple_value for v in event_pb2.Event.FromString(payload).summary.value] == [0.5] * scalars


@given(STRINGS)
def test_strings_of_a_tensor_come_back(strings: list[bytes]) -> None:
    """Empty ones too; a tensor of numbers has none."""
    tensor = string_tensor(strings)

    assert tfevents.tensor_strings(tensor) == strings
    assert list(tensor_util.make_ndarray(tensor_pb2.TensorProto.FromString(tensor))) == strings
    assert tfevents.tensor_strings(array_tensor(Dtype.FLOAT, [1], b"\0\0\0\0")) == []

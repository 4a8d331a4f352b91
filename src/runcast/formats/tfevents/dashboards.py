"""Values for TensorBoard's dashboards of images, audio, histograms, PR curves, meshes and graphs.

Each is a tensor, with metadata that names the plugin and holds the plugin's own message
(``tensorboard/plugins/*/plugin_data.proto``). A list of byte strings is a "blob sequence": the default
data server hands those out one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from runcast.formats.tfevents.scalars import RECORD, event_head
from runcast.formats.tfevents.summaries import plugin_metadata
from runcast.formats.tfevents.tensors import Dtype, array_tensor, packed, string_tensor
from runcast.formats.tfevents.wire import field, integer

RUN_GRAPH = "__run_graph__"
"""The tag under which TensorBoard keeps a run's graph."""

_TENSOR, _BLOBS = 2, 3  # classes of data
_WAV = 11


def image_value(tag: str, size: tuple[int, int], images: Sequence[bytes]) -> bytes:
    """Images of one step: PNG, JPEG, GIF or BMP.

    Args:
        tag: name.
        size: width and height of the first in pixels; 0 where not known.
        images: whole files.
    """
    head = [str(pixels).encode() for pixels in size]
    return _value(tag, "images", b"", _BLOBS, string_tensor([*head, *images]))


def audio_value(tag: str, clip: bytes, wav: bool) -> bytes:
    """One clip: a whole file. TensorBoard knows WAV alone by name; of others browsers have to find out."""
    content = integer(2, _WAV) if wav else b""
    return _value(tag, "audio", content, _BLOBS, string_tensor([clip, b""], [1, 2]))


def histogram_value(tag: str, buckets: bytes) -> bytes:
    """Counts in buckets; `buckets` holds left edge, right edge and count of each as doubles."""
    tensor = array_tensor(Dtype.DOUBLE, [len(buckets) // 24, 3], buckets)
    return _value(tag, "histograms", b"", _TENSOR, tensor)


def pr_curve_value(tag: str, thresholds: int, rows: bytes) -> bytes:
    """A curve at evenly spaced thresholds from 0 to 1.

    Args:
        tag: name.
        thresholds: how many.
        rows: float32; one row each of true positives, false positives, true negatives, false negatives,
            precision and recall.
    """
    tensor = array_tensor(Dtype.FLOAT, [6, thresholds], rows)
    return _value(tag, "pr_curves", integer(2, thresholds), _TENSOR, tensor)


class MeshPart(IntEnum):
    """What one tensor of a mesh is, as the mesh plugin numbers it."""

    VERTEX = 1
    FACE = 2
    COLOR = 3


_MESH_TYPES = {MeshPart.VERTEX: Dtype.FLOAT, MeshPart.FACE: Dtype.INT32, MeshPart.COLOR: Dtype.UINT8}


def mesh_values(tag: str, parts: Mapping[MeshPart, bytes]) -> list[bytes]:
    """A mesh, or without faces a point cloud.

    Args:
        tag: name.
        parts: rows of three: float32 coordinates, int32 numbers of vertices, uint8 red, green and blue.
    """
    components = sum(1 << part for part in parts)
    values = []
    for part, content in parts.items():
        dtype = _MESH_TYPES[part]
        dimensions = [1, len(content) // (3 if dtype is Dtype.UINT8 else 12), 3]
        own = field(2, tag.encode()) + integer(3, part) + field(5, b"{}")
        own += packed(6, dimensions) + integer(7, components)
        tensor = array_tensor(dtype, dimensions, content)
        values.append(_value(f"{tag}_{part.name}", "mesh", own, _TENSOR, tensor))
    return values


def graph_event(time: int, step: int, graph: bytes, record: bytes) -> bytes:
    """An event with a serialized ``GraphDef``, which takes the place of a summary.

    Raises:
        OverflowError: the time or the step is outside int64.
    """
    return event_head(time, step) + field(4, graph) + field(RECORD, record)


def _value(tag: str, plugin: str, content: bytes, data_class: int, tensor: bytes) -> bytes:
    metadata = plugin_metadata(plugin, content, data_class)
    return field(1, tag.encode()) + field(8, tensor) + field(9, metadata)

"""TensorBoard's event files: bytes out, values in, without TensorBoard, TensorFlow or protobuf.

A file is a sequence of frames (see `frame`), the first of which holds `FILE_VERSION`; each frame
holds one ``Event`` message, which holds values of a summary (``tensorflow/core/util/event.proto``
and ``summary.proto``). What these cannot hold exactly stands in fields of our own, which every
other reader skips:

===========  =======  ==================  ========================================================
message      number   wire type           content
===========  =======  ==================  ========================================================
``Event``    77001    fixed64             time in ns since 1970, a signed integer
``Event``    77002    bytes               the record that the event was made from, as JSON
``Value``    77001    fixed64             a float that is no float32, as IEEE double
``Value``    77002    bytes               an int of any size, two's complement, little-endian
``Value``    77003    varint              a bool
``Value``    77004    bytes               a text that is no UTF-8 (lone surrogates), as WTF-8
``Value``    77005    bytes               the caption of a text, as WTF-8
===========  =======  ==================  ========================================================

``docs/tensorboard.md`` says which events carry their record. A number is always given as
``simple_value`` too, the nearest float32: that is the only form of a scalar that TensorBoard's
default data server shows.
"""

from runcast.formats.tfevents.dashboards import (
    RUN_GRAPH,
    MeshPart,
    audio_value,
    graph_event,
    histogram_value,
    image_value,
    mesh_values,
    pr_curve_value,
)
from runcast.formats.tfevents.frames import FILE_VERSION, FrameReader, frame
from runcast.formats.tfevents.parsed import (
    Audio,
    Histogram,
    Image,
    Tensor,
    parse_audio,
    parse_histogram,
    parse_image,
    parse_tensor,
)
from runcast.formats.tfevents.points import Point, PointDecoder
from runcast.formats.tfevents.reader import Event, Value, nanoseconds, parse_event, read
from runcast.formats.tfevents.scalars import ScalarEncoder, with_record
from runcast.formats.tfevents.sessions import EXPERIMENT, SessionEnd, SessionStart, parse_session
from runcast.formats.tfevents.summaries import (
    Outcome,
    event,
    session_end_value,
    session_start_value,
    text_value,
    version_event,
)
from runcast.formats.tfevents.tensors import tensor_strings

__all__ = [
    "EXPERIMENT",
    "FILE_VERSION",
    "RUN_GRAPH",
    "Audio",
    "Event",
    "FrameReader",
    "Histogram",
    "Image",
    "MeshPart",
    "Outcome",
    "Point",
    "PointDecoder",
    "ScalarEncoder",
    "SessionEnd",
    "SessionStart",
    "Tensor",
    "Value",
    "audio_value",
    "event",
    "frame",
    "graph_event",
    "histogram_value",
    "image_value",
    "mesh_values",
    "nanoseconds",
    "parse_audio",
    "parse_event",
    "parse_histogram",
    "parse_image",
    "parse_session",
    "parse_tensor",
    "pr_curve_value",
    "read",
    "session_end_value",
    "session_start_value",
    "tensor_strings",
    "text_value",
    "version_event",
    "with_record",
]

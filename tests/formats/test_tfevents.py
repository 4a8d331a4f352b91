"""What is written is what TensorBoard's own protobufs read, and what our reader restores exactly."""

import io
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.util import tensor_util

from runcast.formats import tfevents
from runcast.formats.tfevents import crc, wire

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
NUMBERS = st.one_of(st.floats(), st.integers(), INT64, st.booleans())
TAGS = st.text(st.characters(exclude_categories=["Cs"]))


def same(one: Any, other: Any) -> bool:
    """Whether two numbers are of one type and one value, NaN and the sign of zero included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


def shown(value: float) -> float:
    """The float32 that stands for a number."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except (OverflowError, struct.error):
        return math.copysign(math.inf, 1 if value > 0 else -1)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0), (b"123456789", 0xE3069283), (b"\0" * 32, 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],
)
def test_the_checksum_is_the_castagnoli_crc(data: bytes, expected: int) -> None:
    """The test vectors of RFC 3720 and of the catalogue of CRCs."""
    assert crc.crc32c_python(data) == expected
    assert crc.crc32c(data) == expected


@given(st.binary(max_size=100))
def test_the_checksum_in_python_is_the_one_in_c(data: bytes) -> None:
    """Whichever is installed, the same bytes come out."""
    assert crc.crc32c_python(data) == crc.crc32c(data)


@given(INT64, INT64, st.dictionaries(TAGS, NUMBERS))
def test_scalars_come_back_exactly(time: int, step: int, values: dict[str, Any]) -> None:
    """Value, type, step and time to the ns, of any number at all."""
    payload = tfevents.ScalarEncoder().event(time, step, values, [])

    event = tfevents.parse_event(payload)

    assert (event.time, event.step) == (time, step)
    assert [value.tag for value in event.values] == list(values)
    assert {value.kind for value in event.values} <= {"scalar"}
    assert all(same(value.value, values[value.tag]) for value in event.values)


@given(INT64, INT64, st.dictionaries(TAGS, NUMBERS))
def test_tensorboard_reads_the_nearest_float32(time: int, step: int, values: dict[str, Any]) -> None:
    """TensorBoard's own protobuf sees plain scalars."""
    overflowed: list[str] = []
    payload = tfevents.ScalarEncoder().event(time, step, values, overflowed)

    event = event_pb2.Event.FromString(payload)

    assert (event.wall_time, event.step) == (time / 1_000_000_000, step)
    assert [value.tag for value in event.summary.value] == list(values)
    assert all(same(value.simple_value, shown(values[value.tag])) for value in event.summary.value)
    beyond = [tag for tag, value in values.items() if math.isinf(shown(value)) and abs(value) != math.inf]
    assert overflowed == beyond


def test_a_float32_costs_no_private_field() -> None:
    """The bytes of a number that float32 holds are those that every other writer makes."""
    event = event_pb2.Event(wall_time=1.0, step=3)
    event.summary.value.add(tag="loss", simple_value=0.25)
    ours = tfevents.ScalarEncoder().event(1_000_000_000, 3, {"loss": 0.25}, [])

    assert ours.endswith(event.summary.SerializeToString())
    assert len(ours) - len(event.SerializeToString()) == 11  # the exact time


@pytest.mark.parametrize(("time", "step"), [(0, 1 << 63), (0, -(1 << 63) - 1), (1 << 63, 0)])
def test_what_is_outside_int64_is_refused(time: int, step: int) -> None:
    """Neither a step nor a time is wrapped round in silence."""
    with pytest.raises(OverflowError, match="outside int64"):
        tfevents.ScalarEncoder().event(time, step, {"loss": 1.0}, [])


@given(st.text(), st.none() | st.text())
def test_texts_come_back_exactly(text: str, caption: str | None) -> None:
    """Lone surrogates and the caption too."""
    payload = tfevents.event(5, 7, tfevents.text_value("notes", text, caption))

    (value,) = tfevents.parse_event(payload).values

    assert (value.kind, value.value, value.caption) == ("text", text, caption)


def test_a_text_is_what_tensorboard_writes() -> None:
    """The same message as TensorBoard's own helpers make."""
    expected = summary_pb2.Summary.Value(
        tag="notes",
        tensor=tensor_util.make_tensor_proto(["hé"]),
        metadata=text_metadata.create_summary_metadata("", ""),
    )

    ours = summary_pb2.Summary.Value.FromString(tfevents.text_value("notes", "hé"))

    assert ours.tensor == expected.tensor
    assert ours.metadata.plugin_data == expected.metadata.plugin_data


def test_an_hparams_session_is_what_tensorboard_writes() -> None:
    """Start and end carry what TensorBoard's own helpers put there."""
    params = {"lr": 0.1, "flag": True, "opt": "sgd", "n": 3.0}
    ((expected),) = summary_v2.hparams_pb(params, trial_id="e/r", start_time_secs=5.5).value[:1]
    start = summary_pb2.Summary.Value.FromString(tfevents.session_start_value(params, "e/r", 5.5))
    end = summary_pb2.Summary.Value.FromString(tfevents.session_end_value(tfevents.Outcome.FAILURE, 9.25))

    def content(value: Any) -> plugin_data_pb2.HParamsPluginData:
        assert value.metadata.plugin_data.plugin_name == metadata.PLUGIN_NAME
        return plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)

    assert (start.tag, end.tag) == (metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG)
    assert content(start) == content(expected)
    assert content(end).session_end_info == plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_FAILURE, end_time_secs=9.25
    )


def test_values_of_other_writers_are_handed_on() -> None:
    """A kind without a decoder comes back as the bytes of its message, with its metadata."""
    event = event_pb2.Event(wall_time=1.5, step=2)
    image = event.summary.value.add(tag="im").image
    image.height, image.encoded_image_string = 3, b"png"
    tensor = event.summary.value.add(tag="t", tensor=tensor_util.make_tensor_proto([1.0, 2.0]))
    tensor.metadata.plugin_data.plugin_name = "tensor"
    tensor.metadata.plugin_data.content = b"own"
    event.summary.value.add(tag="x" * 300, simple_value=0.5)

    read = tfevents.parse_event(event.SerializeToString())

    assert (read.time, read.wall_time, read.step) == (1_500_000_000, 1.5, 2)
    first, second, third = read.values
    assert (first.tag, first.kind) == ("im", "image")
    assert summary_pb2.Summary.Image.FromString(first.value) == image
    assert (second.kind, second.plugin, second.content) == ("tensor", "tensor", b"own")
    assert third == tfevents.Value("x" * 300, "scalar", 0.5)


def test_the_version_of_a_file_is_seen() -> None:
    """The first event is that of every other writer, and is no value."""
    payload = tfevents.version_event(1_500_000_000)

    assert event_pb2.Event.FromString(payload).file_version == tfevents.FILE_VERSION
    assert tfevents.parse_event(payload).other == {3: b"brain.Event:2"}


@given(st.binary(max_size=60))
def test_bytes_that_are_no_event_are_refused(payload: bytes) -> None:
    """Anything at all gives an event or a ValueError, never another error."""
    try:
        tfevents.parse_event(payload)
    except ValueError:
        assert list(tfevents.read([payload])) == []


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_numbers_of_variable_length_come_back(number: int) -> None:
    """Signed and unsigned, to the last bit."""
    raw, end = wire.read_varint(wire.varint(number), 0)

    assert end == len(wire.varint(number)) <= 10
    assert number in (raw, wire.signed(raw))


def test_any_payload_can_be_framed() -> None:
    """The frame does not care what it holds."""
    payloads = [b"", b"\0" * 100, b"x" * 70_000]
    reader = tfevents.FrameReader(io.BytesIO(b"".join(map(tfevents.frame, payloads))))

    assert list(reader) == payloads
    assert reader.damaged == 0

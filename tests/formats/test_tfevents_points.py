"""The short way to an event of one number gives what the long way gives."""

from fractions import Fraction
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2

from runcast.formats import tfevents

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
STEPS = st.one_of(st.integers(0, 300), st.integers(0, 1 << 22), INT64)
TAGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=150)
WALLS = st.one_of(st.floats(), st.floats(0, 1e7), st.floats(1.6e9, 1.8e9))


def long_way(payload: bytes) -> tuple[Any, ...]:
    """Of every field."""
    event = tfevents.parse_event(payload)
    (value,) = event.values
    return event.time, event.step, value.tag, value.value


@given(TAGS, st.lists(st.tuples(WALLS, STEPS, st.floats(width=32)), min_size=1, max_size=4))
@example("x", [(1.7e9, 127, 0.5), (1.7e9, 128, 0.5), (1.7e9, 16383, 0.5), (1.7e9, 16384, 0.5)])
def test_points_of_other_writers(tag: str, points: list[tuple[float, int, float]]) -> None:
    """Any wall time, step and float32; the second of a tag comes by its known bytes."""
    decoder = tfevents.PointDecoder()
    for wall, step, value in points:
        event = event_pb2.Event(wall_time=wall, step=step)
        event.summary.value.add(tag=tag, simple_value=value)
        payload = event.SerializeToString()
        found = decoder.point(payload)

        assert found is None or repr(found) == repr(long_way(payload))
        assert found is not None or not (1 < abs(wall) < 9e9 and step and tag and len(tag.encode()) < 100)


@given(TAGS, st.lists(st.tuples(INT64, STEPS, st.floats()), min_size=1, max_size=4))
def test_points_of_our_own(tag: str, points: list[tuple[int, int, float]]) -> None:
    """Doubles, with their time to the ns, under the name that the script used."""
    decoder, encoder = tfevents.PointDecoder({tag: "name"}), tfevents.ScalarEncoder()
    for time, step, value in points:
        payload = encoder.event(time, step, {tag: value}, [])
        found = decoder.point(payload)

        assert found is None or repr(found) == repr((*long_way(payload)[:2], "name", value))


@given(st.binary(max_size=60), st.integers(0, 40))
def test_bytes_of_any_kind_are_no_surprise(junk: bytes, at: int) -> None:
    """No exception but ValueError, whatever stands there."""
    payload = bytearray(tfevents.ScalarEncoder().event(1_700_000_000 * 10**9, 5, {"loss": 0.1}, []))
    payload[at : at + len(junk)] = junk
    for data in (bytes(payload), junk):
        for read in (tfevents.PointDecoder().point, tfevents.parse_event):
            try:
                read(data)
            except ValueError:
                continue


@given(WALLS)
def test_a_wall_time_is_rounded_exactly_once(wall: float) -> None:
    """To the nearest ns of the double's exact value; what is no time is 0."""
    found = tfevents.nanoseconds(wall)
    if abs(wall) < 9.2e9:
        assert found == round(Fraction(wall) * 10**9)
        if wall > 1e8:
            assert found / 10**9 == wall
    elif not abs(wall) < 9.3e9:
        assert found == 0

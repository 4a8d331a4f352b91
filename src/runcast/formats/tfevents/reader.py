"""Event files to values: exact where runcast wrote them, as found where others did."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runcast.formats.tfevents.scalars import EXACT_BOOL, EXACT_DOUBLE, EXACT_INT, EXACT_TIME, RECORD
from runcast.formats.tfevents.summaries import CAPTION, EXACT_TEXT
from runcast.formats.tfevents.wire import FIXED64, fields, key, signed

_KINDS = {4: "image", 5: "histo", 6: "audio", 8: "tensor"}
_FLOAT, _DOUBLE, _INT64 = struct.Struct("<f"), struct.Struct("<d"), struct.Struct("<q")
_LATEST = 9_223_372_036.0  # s
_VALUE_KEY, _TAG_KEY, _FLOAT_KEY, _DOUBLE_KEY = 0x0A, 0x0A, 0x15, key(EXACT_DOUBLE, FIXED64)


class Value(NamedTuple):
    """One value of a summary.

    Attributes:
        tag: as it stands in the file.
        kind: ``scalar`` (a number or bool), ``text`` (a str), else the field that holds the value
            (``image``, ``histo``, ``audio``, ``tensor``), or ``none``.
        value: the value; for the other kinds the field's message, not parsed.
        plugin: the plugin that its metadata names; mostly only on the first value of a tag.
        content: the plugin's own bytes in the metadata.
        caption: of a text, where runcast wrote one.
        described: the metadata's own description, for people.
    """

    tag: str
    kind: str
    value: bool | int | float | str | bytes
    plugin: str = ""
    content: bytes = b""
    caption: str | None = None
    described: str = ""


class Event(NamedTuple):
    """One event.

    Attributes:
        time: ns since 1970; exact where runcast wrote it, else as of `nanoseconds`.
        wall_time: seconds since 1970.
        values: of its summary.
        other: number → bytes of the fields that are no summary, such as the file version (3).
        record: JSON of the record that the event was made from, where runcast wrote it.
    """

    time: int
    wall_time: float
    step: int
    values: list[Value]
    other: dict[int, bytes]
    record: bytes = b""


def read(payloads: Iterable[bytes]) -> Iterator[Event]:
    """The events of a file, from a `FrameReader`; a payload that is no event is left out."""
    for payload in payloads:
        try:
            event = parse_event(payload)
        except ValueError:
            continue
        yield event


def parse_event(payload: bytes) -> Event:
    """One event.

    Raises:
        ValueError: the payload is none.
    """
    wall_time, step, time, record = 0.0, 0, None, b""
    values: list[Value] = []
    other: dict[int, bytes] = {}
    try:
        for number, _, content in fields(payload):
            if isinstance(content, int):
                if number == 2:
                    step = signed(content)
            elif number == 5:
                values += _summary(content)
            elif number == 1:
                wall_time = _DOUBLE.unpack(content)[0]
            elif number == EXACT_TIME:
                time = _INT64.unpack(content)[0]
            elif number == RECORD:
                record = content
            else:
                other[number] = content
    except struct.error as error:
        raise ValueError(f"a field has the wrong width: {error}") from None
    exact = nanoseconds(wall_time) if time is None else time
    return Event(exact, wall_time, step, values, other, record)


def nanoseconds(wall_time: float) -> int:
    """Seconds as ns: the exact value of the double times 10**9, to the nearest integer, halves to even.

    What is no time (NaN, infinite, beyond int64 ns) is 0. Dividing by 10**9 gives the same double again for
    every time after April 1970.
    """
    if not -_LATEST < wall_time < _LATEST:
        return 0
    numerator, denominator = wall_time.as_integer_ratio()
    whole, rest = divmod(numerator * 1_000_000_000, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole & 1))


def _summary(content: bytes) -> list[Value]:
    values, at, end = [], 0, len(content)
    while at < end:
        size = content[at + 1] if at + 1 < end else 0x80
        if content[at] != _VALUE_KEY or size > 0x7F:  # long, or no value at all
            for number, _, value in fields(content[at:]):
                if number == 1 and isinstance(value, bytes):
                    values.append(_value(value))
            return values
        at += 2 + size
        if at > end:
            raise ValueError("a value is longer than its summary")
        message = content[at - size : at]
        values.append(plain_scalar(message) or _value(message))
    return values


def plain_scalar(message: bytes) -> Value | None:
    """The form that nearly every value has: a short tag, a float32, perhaps our double."""
    size = len(message)
    behind = 2 + message[1] if size > 6 and message[0] == _TAG_KEY and message[1] < 0x80 else size
    if behind + 5 > size or message[behind] != _FLOAT_KEY:
        return None
    if behind + 5 == size:
        value = _FLOAT.unpack_from(message, behind + 1)[0]
    elif behind + 16 == size and message[behind + 5 : behind + 8] == _DOUBLE_KEY:
        value = _DOUBLE.unpack_from(message, behind + 8)[0]
    else:
        return None
    return Value(message[2:behind].decode("utf-8", "surrogateescape"), "scalar", value)


def _value(message: bytes) -> Value:
    tag, kind, plugin, own, described = "", "none", "", b"", ""
    value: bool | int | float | str | bytes = b""
    exact: bool | int | float | str | None = None
    caption = None
    for number, _, content in fields(message):
        if isinstance(content, int):
            if number == EXACT_BOOL:
                exact = bool(content)
        elif number == 1:
            tag = content.decode("utf-8", "surrogateescape")
        elif number == 2:
            kind, value = "scalar", _FLOAT.unpack(content)[0]
        elif number == EXACT_DOUBLE:
            exact = _DOUBLE.unpack(content)[0]
        elif number == EXACT_INT:
            exact = int.from_bytes(content, "little", signed=True)
        elif number == EXACT_TEXT:
            exact = content.decode("utf-8", "surrogatepass")
        elif number == CAPTION:
            caption = content.decode("utf-8", "surrogatepass")
        elif number == 9:
            plugin, own, described = _plugin(content)
        elif number in _KINDS:
            kind, value = _KINDS[number], content
    if plugin == "text" and kind == "tensor" and isinstance(value, bytes):
        kind, value = _text(value)
    return Value(tag, kind, value if exact is None else exact, plugin, own, caption, described)


def _plugin(metadata: bytes) -> tuple[str, bytes, str]:
    name, own, described = b"", b"", b""
    for number, _, data in fields(metadata):
        if number == 1 and isinstance(data, bytes):
            for inner, _, content in fields(data):
                if inner == 1 and isinstance(content, bytes):
                    name = content
                elif inner == 2 and isinstance(content, bytes):
                    own = content
        elif number == 3 and isinstance(data, bytes):
            described = data
    return name.decode("utf-8", "replace"), own, described.decode("utf-8", "replace")


def _text(tensor: bytes) -> tuple[str, str | bytes]:
    """The one string of a tensor; a tensor of several stays as it is."""
    strings = [content for number, _, content in fields(tensor) if number == 8]
    if len(strings) == 1 and isinstance(strings[0], bytes):
        return "text", strings[0].decode("utf-8", "replace")
    return "tensor", tensor

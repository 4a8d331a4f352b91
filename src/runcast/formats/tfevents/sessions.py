"""HParams' messages, parsed (``tensorboard/plugins/hparams/plugin_data.proto``)."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from runcast.formats.tfevents.wire import fields

EXPERIMENT = "_hparams_/experiment"


class SessionStart(NamedTuple):
    """What a session began with.

    Attributes:
        params: name → bool, float, text, None or what ``google.protobuf.Value`` nests.
        group: sessions of one group count as one trial; "" where nothing is said.
        start: seconds since 1970, 0 where nothing is said.
        links: ``model_uri`` and ``monitor_url``, where they are there.
    """

    params: dict[str, Any]
    group: str
    start: float
    links: dict[str, str]


class SessionEnd(NamedTuple):
    """How a session ended: one of `runcast.formats.tfevents.Outcome`, and seconds since 1970 or 0."""

    outcome: int
    end: float


def parse_session(content: bytes) -> SessionStart | SessionEnd | None:
    """A session's start or end from the plugin's own bytes; None where they hold neither.

    Raises:
        ValueError: the message is damaged.
    """
    for number, _, value in fields(content):
        if number == 3 and isinstance(value, bytes):
            return _start(value)
        if number == 4 and isinstance(value, bytes):
            return _end(value)
    return None


def _start(message: bytes) -> SessionStart:
    params: dict[str, Any] = {}
    group, start, links = "", 0.0, {}
    for number, _, value in fields(message):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            entry = _entry(value)
            params[_text(entry.get(1, b""))] = _value(entry.get(2, b""))
        elif number in (2, 3) and value:
            links["model_uri" if number == 2 else "monitor_url"] = _text(value)
        elif number == 4:
            group = _text(value)
        elif number == 5:
            start = _double(value)
    return SessionStart(params, group, start, links)


def _end(message: bytes) -> SessionEnd:
    outcome, end = 0, 0.0
    for number, _, value in fields(message):
        if number == 1 and isinstance(value, int):
            outcome = value
        elif number == 2 and isinstance(value, bytes):
            end = _double(value)
    return SessionEnd(outcome, end)


def _value(message: int | bytes, depth: int = 0) -> Any:
    """A ``google.protobuf.Value``; one that is empty is None."""
    if depth > 50:
        raise ValueError("a param is nested too deeply")
    result: Any = None
    for number, _, value in fields(message if isinstance(message, bytes) else b""):
        if isinstance(value, int):
            result = bool(value) if number == 4 else None
        elif number == 2:
            result = _double(value)
        elif number == 3:
            result = _text(value)
        elif number == 5:
            entries = [_entry(content) for _, _, content in fields(value)]
            result = {_text(e.get(1, b"")): _value(e.get(2, b""), depth + 1) for e in entries}
        elif number == 6:
            result = [_value(v, depth + 1) for _, _, v in fields(value)]
    return result


def _entry(message: int | bytes) -> dict[int, int | bytes]:
    """One entry of a map: 1 is the key, 2 the value."""
    return {number: content for number, _, content in fields(message if isinstance(message, bytes) else b"")}


def _text(value: int | bytes) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else ""


def _double(value: bytes) -> float:
    if len(value) != 8:
        raise ValueError("a double has the wrong width")
    return float(struct.unpack("<d", value)[0])

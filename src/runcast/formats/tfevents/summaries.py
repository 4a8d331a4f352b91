"""The other values that runcast writes: text, and the sessions of HParams.

HParams holds a run as two values without data whose metadata is a message of its plugin
(``tensorboard/plugins/hparams/plugin_data.proto``). TensorBoard takes the first of each per run.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from runcast.formats.tfevents.frames import FILE_VERSION
from runcast.formats.tfevents.scalars import RECORD, event_head
from runcast.formats.tfevents.tensors import string_tensor
from runcast.formats.tfevents.wire import double, field, integer

EXACT_TEXT, CAPTION = 77004, 77005
"""Numbers of our own fields; see the package's text."""

SESSION_START, SESSION_END = "_hparams_/session_start_info", "_hparams_/session_end_info"


class Outcome(IntEnum):
    """How a session ended, as HParams counts it."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2
    RUNNING = 3


def version_event(time: int) -> bytes:
    """What a file begins with; `time` in ns since 1970."""
    return event_head(time, 0) + field(3, FILE_VERSION.encode())


def event(time: int, step: int, *values: bytes, record: bytes = b"") -> bytes:
    """An event of values of any kind.

    Args:
        time: ns since 1970.
        step: int64.
        values: none for an event that only carries a record.
        record: JSON of the record that the values come from, where they do not hold all of it.

    Raises:
        OverflowError: the time or the step is outside int64.
    """
    head = event_head(time, step)
    summary = field(5, b"".join(field(1, value) for value in values)) if values else b""
    return head + summary + (field(RECORD, record) if record else b"")


def text_value(tag: str, text: str, caption: str | None = None) -> bytes:
    """A text for the text dashboard; lone surrogates show as escapes and are kept beside."""
    shown = text.encode("utf-8", "backslashreplace")
    out = field(1, tag.encode()) + field(8, string_tensor([shown])) + field(9, plugin_metadata("text", b""))
    exact = text.encode("utf-8", "surrogatepass")
    if exact != shown:
        out += field(EXACT_TEXT, exact)
    if caption is not None:
        out += field(CAPTION, caption.encode("utf-8", "surrogatepass"))
    return out


def session_start_value(params: Mapping[str, bool | float | str], group: str, start: float) -> bytes:
    """The start of an HParams session.

    Args:
        params: finite numbers, bools and texts; keys and texts must be encodable as UTF-8.
        group: sessions of one group count as one trial.
        start: seconds since 1970.
    """
    info = b"".join(field(1, field(1, k.encode()) + field(2, _value(v))) for k, v in params.items())
    return _session(SESSION_START, 3, info + field(4, group.encode()) + double(5, start))


def session_end_value(outcome: Outcome, end: float) -> bytes:
    """The end of an HParams session; `end` in seconds since 1970."""
    return _session(SESSION_END, 4, integer(1, outcome) + double(2, end))


def _session(tag: str, number: int, info: bytes) -> bytes:
    return field(1, tag.encode()) + field(9, plugin_metadata("hparams", field(number, info)))


def plugin_metadata(plugin: str, content: bytes, data_class: int = 0) -> bytes:
    """What says to whom a value belongs: the plugin's name, its own message, and the class of its data."""
    data = field(1, field(1, plugin.encode()) + (field(2, content) if content else b""))
    return data + (integer(4, data_class) if data_class else b"")


def _value(value: bool | float | str) -> bytes:
    """A ``google.protobuf.Value``."""
    if isinstance(value, bool):
        return integer(4, value)
    if isinstance(value, str):
        return field(3, value.encode())
    return double(2, value)

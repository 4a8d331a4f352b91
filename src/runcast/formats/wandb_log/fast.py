"""The two kinds that a log has most of, rows and changes of the summary, decoded without detours.

Where a record is spelled in any other way than W&B's client and runcast spell it, `decode` takes over.
"""

from __future__ import annotations

import json
from typing import Any

from runcast.formats.wandb_log import entries as e
from runcast.formats.wandb_log.decode import decode
from runcast.formats.wandb_log.wire import read_varint

Leaf = tuple[str | tuple[str, ...], bytes]
"""A name, or the path to a value inside dicts, and the value's JSON."""


class _Other(Exception):
    """Spelled in another way."""


def kind_of(payload: bytes) -> tuple[int, int, int]:
    """Field number of what a record says, and where its content begins and ends.

    Raises:
        ValueError: it says nothing.
    """
    at = 0
    if payload[:1] == b"\x08":  # its number in the log
        at = 1
        while payload[at : at + 1] >= b"\x80":
            at += 1
        at += 1
    while at < len(payload):
        tag, at = read_varint(payload, at)
        if tag & 7 == 2:
            size, body = read_varint(payload, at)
            if tag >> 3 not in (16, 19, 200):
                return tag >> 3, body, body + size
            at = body + size
        elif tag & 7 == 0:
            _, at = read_varint(payload, at)
        else:
            break
    raise ValueError("a record without content")


def row(payload: bytes, begin: int, end: int) -> dict[str, Any]:
    """A history record's values; inner dicts are dicts again.

    Args:
        payload, begin, end: the record, and where `kind_of` says that its content is.

    Raises:
        ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError: it is damaged.
    """
    try:
        found = _leaves(payload, begin, end, 0x12)
        values = json.loads(b"[" + b",".join([raw for _, raw in found]) + b"]")
        if len(values) != len(found):
            raise _Other
    except (_Other, ValueError, IndexError):
        slow = decode(payload)[1]
        if not isinstance(slow, e.History):
            raise ValueError("no row") from None
        return slow.values
    out: dict[str, Any] = {}
    for (path, _), value in zip(found, values, strict=True):
        if type(path) is str:
            out[path] = value
        else:
            put(out, path, value)
    return out


def leaves(payload: bytes, begin: int, end: int) -> list[Leaf] | None:
    """The updates of a summary record; None where `decode` must be asked: it removes something, say."""
    try:
        return _leaves(payload, begin, end, None)
    except (_Other, ValueError, IndexError):
        return None


def put(level: dict[str, Any], path: tuple[str, ...] | str, value: Any) -> None:
    """Put a value where a path leads.

    Raises:
        ValueError: there is a value in the way.
    """
    *above, last = path if isinstance(path, tuple) else (path,)
    for name in above:
        level = level.setdefault(name, {})
        if not isinstance(level, dict):
            raise ValueError(f"{'.'.join(path)} is both a value and a dict")
    level[last] = value


def _leaves(message: bytes, at: int, end: int, ignored: int | None) -> list[Leaf]:
    out: list[Leaf] = []
    while at < end:
        tag = message[at]
        if tag == ignored:  # a row's step, which stands among its values too
            size, at = read_varint(message, at + 1)
            at += size
            continue
        if tag != 0x0A:
            raise _Other
        size, at = message[at + 1], at + 2
        if size >= 0x80:
            size, at = read_varint(message, at - 1)
        stop = at + size
        path: list[str] = []
        raw = b""
        while at < stop:
            tag = message[at]
            if tag == 0x82 and message[at + 1] == 1:
                at += 1
            elif tag not in (0x12, 0x0A):
                raise _Other
            size, at = message[at + 1], at + 2
            if size >= 0x80:
                size, at = read_varint(message, at - 1)
            part = message[at : at + size]
            at += size
            if tag == 0x82:
                raw = part
            else:
                path.append(str(part, "utf-8", "replace"))
        if at != stop or stop > end or not raw or not path:
            raise _Other
        out.append((path[0] if len(path) == 1 else tuple(path), raw))
    return out

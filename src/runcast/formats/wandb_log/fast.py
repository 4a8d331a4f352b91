"""The two kinds that a log has most of, rows and changes of the summary, decoded without detours.

Where a record is spelled in any other way than W&B's client and runcast spell it, `decode` takes over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from runcast.formats.wandb_log import entries as e
from runcast.formats.wandb_log.decode import decode
from runcast.formats.wandb_log.items import Path, items
from runcast.formats.wandb_log.wire import data, read_varint

Leaf = tuple[Path, bytes]
"""Where a value is, and its JSON."""
_HISTORY = 2
_decode = msgspec.json.Decoder().decode


class _Other(Exception):
    """Spelled in another way."""


def kind_of(payload: bytes) -> tuple[int, int, int]:
    """Field number of what a record says, and where its content begins and ends.

    Raises:
        ValueError: it says nothing.
    """
    at = 0
    try:
        if payload[0] == 0x08:  # its number in the log
            at = 1
            while payload[at] >= 0x80:
                at += 1
            at += 1
        tag, size, more = payload[at : at + 3]
        if tag & 0x87 == 2:  # nearly always a small field, of 16 KiB at most
            if size < 0x80:
                return tag >> 3, at + 2, at + 2 + size
            if 0 < more < 0x80:
                return tag >> 3, at + 3, at + 3 + (size & 0x7F | more << 7)
    except (IndexError, ValueError):
        pass
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


def rows(contents: list[bytes]) -> list[dict[str, Any]] | None:
    """`row` of many history records; None where one of them wants to be looked at by itself."""
    found = items(contents)
    if found is None:
        return None
    paths, texts, bounds = found
    try:
        values = _numbers(b"[%b]" % b",".join(texts))
        if len(values) != len(paths):
            return None
        starts = [0, *bounds[:-1]]
        if tuple in set(map(type, paths)):
            return [_tree(paths[a:b], values[a:b]) for a, b in zip(starts, bounds, strict=True)]
        # All of the paths are names.
        return [dict(zip(paths[a:b], values[a:b])) for a, b in zip(starts, bounds)]  # type: ignore[arg-type]  # noqa: B905
    except (ValueError, RecursionError):
        return None


def _numbers(text: bytes) -> list[Any]:
    try:
        values: list[Any] = _decode(text)
    except msgspec.MsgspecError:  # NaN, the infinities, lone surrogates
        values = json.loads(text)
    return values


def row(content: bytes) -> dict[str, Any]:
    """The values of what a history record says; inner dicts are dicts again.

    Raises:
        ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError: it is damaged.
    """
    try:
        found = _leaves(content, 0x12)
        values = json.loads(b"[" + b",".join([raw for _, raw in found]) + b"]")
        if len(values) != len(found):
            raise _Other
    except (_Other, ValueError, IndexError):
        slow = decode(data(_HISTORY, content))[1]
        if not isinstance(slow, e.History):
            raise ValueError("no row") from None
        return slow.values
    return _tree([path for path, _ in found], values)


def leaves(contents: list[bytes]) -> Iterable[Leaf] | None:
    """The updates of what summary records say, in order.

    None where `decode` must be asked: one of them removes something, say.
    """
    found = items(contents)
    if found is not None:
        return zip(found[0], found[1], strict=True)
    try:
        return [leaf for content in contents for leaf in _leaves(content, None)]
    except (_Other, ValueError, IndexError):
        return None


def _tree(paths: list[Path], values: list[Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for path, value in zip(paths, values, strict=True):
        if type(path) is str:
            out[path] = value
        else:
            put(out, path, value)
    return out


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


def _leaves(message: bytes, ignored: int | None) -> list[Leaf]:
    out: list[Leaf] = []
    at, end = 0, len(message)
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

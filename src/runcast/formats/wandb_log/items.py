"""Names and JSON texts of many items in one search, where they are spelled as W&B's client and runcast do.

An item is a field 1 that holds a path (one field 2 per name, or one field 1) and a JSON text (field 16).
JSON has no raw control characters, so a pattern finds where a text ends without counting. Every size that it
passes over is compared afterwards, so what is found is what a reader that counts finds, or nothing.
"""

from __future__ import annotations

import re
from itertools import accumulate

from runcast.formats.wandb_log.wire import read_varint, varint

Path = str | tuple[str, ...]
"""A name, or the path to a value inside dicts."""

_SIZE = rb"[\x80-\xff]?[\x00-\x7f]"
# A name holds no control characters, else it is spelled in another way. So the search is linear, whatever the
# bytes are: no two places where an item may begin look at the same text.
_NAME = _SIZE + rb"[^\x00-\x1f\x82]*"
_PATH = rb"(\x12" + _NAME + rb"(?:\x12" + _NAME + rb"){0,7}|\x0a" + _NAME + rb")"
_ITEM = rb"\x0a(" + _SIZE + rb")(" + _PATH + rb"\x82\x01(" + _SIZE + rb")([^\x00-\x1f]+))"
# A row's step stands behind its values, and among them too.
_STEP = rb"(\x12(?:\x00|[\x02-\x0b]\x08[\x80-\xff]*[\x00-\x7f])|)"
_find = re.compile(_ITEM + _STEP).findall
_MOST_PATHS = 10_000
_paths: dict[bytes, Path] = {}


def items(messages: list[bytes]) -> tuple[list[Path], tuple[bytes, ...], list[int]] | None:
    """What messages with items consist of, or None where one of them is spelled in another way.

    Returns:
        Path of each item; its JSON text; and for each message how many items there are up to its end.
    """
    whole = b"".join(messages)
    found = _find(whole)
    if not found:
        return None
    sizes, bodies, raw, inner, texts, steps = zip(*found, strict=True)
    try:
        paths = [_paths[path] for path in raw]
    except KeyError:
        if (learnt := _learn(raw)) is None:
            return None
        paths = learnt
    lengths = list(map(len, bodies))
    if not (_are(sizes, lengths) and _are(inner, list(map(len, texts))) and all(map(_is_step, set(steps)))):
        return None
    heads, tails = map(len, sizes), map(len, steps)
    taken = [1 + head + body + tail for head, body, tail in zip(heads, lengths, tails, strict=True)]
    ends = list(accumulate(taken))
    # Each message ends where an item does, and the last one where the last item does: nothing was left out.
    number = dict(zip(ends, range(1, len(ends) + 1), strict=True))
    try:
        bounds = [number[end] for end in accumulate(map(len, messages))]
    except KeyError:
        return None
    return paths, texts, bounds


def _are(sizes: tuple[bytes, ...], lengths: list[int]) -> bool:
    """Whether these varints are those lengths."""
    if max(lengths) < 0x80:
        return b"".join(sizes) == bytes(lengths)
    return list(sizes) == list(map(varint, lengths))


def _is_step(field: bytes) -> bool:
    return not field or field[1] == len(field) - 2


def _learn(raw: tuple[bytes, ...]) -> list[Path] | None:
    """The paths, which are known from now on."""
    out: list[Path] = []
    for path in raw:
        names, at = [], 0
        try:
            while at < len(path):
                if path[at] != 0x12 and (path[at] != 0x0A or at):
                    return None
                size, at = read_varint(path, at + 1)
                names.append(str(path[at : at + size], "utf-8", "replace"))
                at += size
        except ValueError:
            return None
        if at != len(path) or (path[0] == 0x0A and len(names) > 1):
            return None
        if len(_paths) >= _MOST_PATHS:
            _paths.clear()
        out.append(_paths.setdefault(path, names[0] if len(names) == 1 else tuple(names)))
    return out

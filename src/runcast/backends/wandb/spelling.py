"""What W&B refuses, spelled so that it takes it: keys, tags, artifacts, numbers and texts."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

import msgspec

from runcast.names import escape

KEY_LIMIT = 1000
TAG_LIMIT = 64
_UNSAFE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_RESERVED = re.compile(r"_|runcast(/|$)|wandb_version$")
_ARTIFACT = re.compile(r"[^A-Za-z0-9_.\-]")
_PROJECT = re.compile(r"[/\\#?%:\x00-\x1f\x7f\ud800-\udfff]")
_RUN = re.compile(r"[:;,#?/'\\\s\x00-\x1f\x7f\ud800-\udfff]")
_PATH = re.compile(r"[^A-Za-z0-9_.\- ]")
_WHOLE = re.compile(r"[^A-Za-z0-9_.\-]")
_INT64 = 1 << 63
_NUMBERS = {float, int, bool}
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=8192)
def key(name: str) -> str:
    """A key of history or config. W&B keeps ``_...`` for itself and runcast ``runcast/...``; these move."""
    legal = escape(name, _UNSAFE, KEY_LIMIT)
    return f"runcast/{legal}" if _RESERVED.match(legal) else legal


def project(name: str) -> str:
    """A project's name, at most 128 characters."""
    return escape(name, _PROJECT, 128)


def run_id(name: str) -> str:
    """A run's id."""
    return escape(name, _RUN, 64)


def artifact(name: str) -> str:
    """An artifact's name, at most 128 characters."""
    return escape(name, _ARTIFACT, 128)


def path(name: str) -> str:
    """A relative path for files of this name: ``/`` makes folders, ``..`` and what a disk refuses do not."""
    parts = name.split("/")
    if len(name) > 400 or any(not part.strip(". ") for part in parts):
        return escape(name, _WHOLE, 128).replace(".", "_x2e_", name.startswith("."))
    return "/".join(escape(part, _PATH, 128) for part in parts)


def alias(name: str) -> str:
    """An alias of an artifact's version."""
    return escape(name, re.compile(r"[/:\x00-\x1f\x7f\ud800-\udfff]"), 128)


def tag(name: str, value: str) -> str | None:
    """A label as W&B's one string; None where it has none of 1 to 64 characters for it."""
    spelled = f"{name}:{value}" if value else name
    return spelled if 0 < len(spelled) <= TAG_LIMIT and not _UNSAFE.search(spelled) else None


def prose(value: str) -> str:
    """Text without lone surrogates, which protobuf refuses; they become ``\\udXXX``."""
    return value.encode("utf-8", "backslashreplace").decode()


def number(value: bool | int | float) -> tuple[str, str | None]:
    """JSON of a metric's value, and what it lost, if anything."""
    if type(value) is float:
        return (_encode(value).decode() if value - value == 0.0 else json.dumps(value)), None
    if value is True or value is False:
        return ("true" if value else "false"), None
    if -_INT64 <= value < _INT64:
        return int.__repr__(int(value)) if isinstance(value, int) else json.dumps(float(value)), None
    try:
        return json.dumps(float(value)), "beyond 64 bits: kept as the nearest float"
    except OverflowError:
        return json.dumps(hex(int(value))), "beyond a float's range: kept as hexadecimal text"


def numbers(values: list[bool | int | float]) -> list[bytes] | None:
    """`number` of many, all at once; None where one of them loses something or is of another type."""
    kinds = set(map(type, values))
    if not kinds or kinds - _NUMBERS:
        return None if kinds else []
    if int in kinds and not all(-_INT64 <= value < _INT64 for value in values if type(value) is int):
        return None
    texts = _encode(values)[1:-1]
    if b"n" not in texts:
        return texts.split(b",")
    pairs = zip(texts.split(b","), values, strict=True)
    return [number(value)[0].encode() if text == b"null" else text for text, value in pairs]


def is_whole(text: bytes) -> bool:
    """Whether a float's text says a whole number, which W&B's client writes down as an integer."""
    return text[-2:] == b".0" or (b"e" in text and b"e-" not in text and text[-1:].isdigit())


def wholes(texts: list[bytes]) -> list[int]:
    """Where `is_whole` among numbers' texts."""
    together = b",".join(texts) + b","
    if b"e" in together:
        return [at for at, text in enumerate(texts) if is_whole(text)]
    found: list[int] = []
    place, begin, at = together.find(b".0,"), 0, 0  # a look at each text would cost more than all the rest
    while place >= 0:
        at += together.count(b",", begin, place)
        found.append(at)
        begin, place = place, together.find(b".0,", place + 3)
    return found


def setting(value: Any) -> tuple[Any, bool]:
    """A config value that W&B keeps as it is, and whether it had to change.

    W&B turns NaN and the infinities into None and long integers into floats: both become text.
    """
    if isinstance(value, dict):
        pairs = {prose(str(k)): setting(v) for k, v in value.items()}
        return {k: v for k, (v, _) in pairs.items()}, any(changed for _, changed in pairs.values())
    if isinstance(value, (list, tuple)):
        items = [setting(item) for item in value]
        return [item for item, _ in items], any(changed for _, changed in items)
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN"), True
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        return hex(value), True
    if isinstance(value, str):
        clean = prose(value)
        return clean, clean != value
    return value, False

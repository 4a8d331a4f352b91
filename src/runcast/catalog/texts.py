"""Values as people read them; nothing that a run said can act on a terminal or a page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from runcast.catalog.values import json_in

_JOINER = "\u200d"  # builds emoji, harmless


def visible(text: str, *, lines: bool = False) -> str:
    """Text whose control, bidirectional and unpaired characters are shown as escapes.

    Args:
        lines: keep line breaks.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == _JOINER or (lines and c == "\n") else _escape(c) for c in text
    )


def _escape(character: str) -> str:
    if character in "\t\n\r":
        return {"\t": r"\t", "\n": r"\n", "\r": r"\r"}[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, most: int) -> str:
    """At most `most` characters, an ellipsis where some are gone."""
    return text if len(text) <= most else text[: most - 1] + "…"


def counted(count: int, noun: str) -> str:
    """So many of what the noun names: ``1 run``, ``1,200 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tally(words: Sequence[str]) -> str:
    """How often each word is there: ``3 delivered, 1 failed``; "" of none."""
    return ", ".join(f"{count} {word}" for word, count in Counter(words).items())


def number(value: float | None) -> str:
    """A number in five digits; whole ones entirely."""
    if value is None:
        return ""
    if isinstance(value, int):
        return shorten(str(value), 24)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{value:.1f}"
    return f"{value:.5g}"


def value(anything: Any) -> str:
    """A param: text as it is, everything else as JSON."""
    if isinstance(anything, str):
        return visible(anything)
    if isinstance(anything, float):
        return repr(anything)
    return visible(json_in(anything))


def moment(ns: int | None) -> str:
    """A local time to the second."""
    if ns is None:
        return ""
    try:
        return datetime.fromtimestamp(ns // 10**9, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"{ns} ns"


def span(seconds: float | None) -> str:
    """A duration in its two largest units."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {name}"
    return f"{whole} s"


def amount(size: int) -> str:
    """Bytes in the unit that reads best."""
    scaled = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if scaled < 1024:
            return f"{size} B" if unit == "B" else f"{scaled:.1f} {unit}"
        scaled /= 1024
    return f"{scaled:.1f} TiB"

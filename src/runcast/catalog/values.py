"""How names, numbers and JSON values stand in SQLite, so that they come back exactly.

Columns have no declared type, because SQLite would otherwise convert: a REAL column turns -0.0 into 0.
Text that is no valid UTF-8 (lone surrogates) is stored as a blob. A number takes two columns: one that
sorts and compares, and one that holds the exact value where the first cannot (NaN, bool, more than
64 bit).
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from runcast import codec
from runcast.records import Scalar

INT64 = range(-(2**63), 2**63)

Text = str | bytes
Number = int | float | None


def text_in(text: str) -> Text:
    """The form in which SQLite holds this text; one text has one form, so forms can be compared."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text_out(stored: Text) -> str:
    """Undo `text_in`."""
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored


def optional_in(text: str | None) -> Text | None:
    """`text_in`, or None."""
    return None if text is None else text_in(text)


def optional_out(stored: Text | None) -> str | None:
    """`text_out`, or None."""
    return None if stored is None else text_out(stored)


def int64(value: int) -> int:
    """A step, time or size; what does not fit into 64 bit becomes the nearest that does."""
    return min(max(value, INT64[0]), INT64[-1])


def sortable(value: Scalar) -> Number:
    """The number to compare by; None for NaN, the nearest float beyond 64 bit."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if value in INT64:
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def number_in(value: Scalar | None) -> tuple[Number, str | None]:
    """The two columns of a number: sortable, and exact where that is not enough."""
    if value is None:
        return None, None
    if isinstance(value, bool):
        return int(value), "true" if value else "false"
    if isinstance(value, float):
        return sortable(value), "nan" if math.isnan(value) else None
    return sortable(value), None if value in INT64 else str(value)


def number_out(number: Number, exact: str | None) -> Scalar | None:
    """Undo `number_in`."""
    if exact is None:
        return number
    if exact in ("true", "false"):
        return exact == "true"
    return math.nan if exact == "nan" else int(exact)


def json_in(value: Any) -> str:
    """JSON of a value: the same value has always the same text, so texts can be compared."""
    packed = codec.pack(value)
    try:
        return msgspec.json.encode(packed).decode()
    except UnicodeEncodeError:
        return json.dumps(packed, ensure_ascii=True, allow_nan=False)


def json_out(stored: str | bytes) -> Any:
    """Undo `json_in`."""
    try:
        plain = msgspec.json.decode(stored)
    except msgspec.DecodeError:  # lone surrogates
        plain = json.loads(stored)
    return codec.unpack(plain) if isinstance(plain, (dict, list)) else plain

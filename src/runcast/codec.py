"""Records to JSON and back, bit for bit.

``msgspec`` does the work. Two things it cannot do are added here: NaN and the infinities travel as
``{"$float": "nan"}`` (it would write ``null``), and text with lone surrogates goes through the
standard library's encoder, which escapes them (two that make a pair come back as the one character
that they mean: JSON cannot tell). A dict of the user's own whose key begins with ``$``
gets a second ``$``, so that the tag cannot be forged; names of metrics are left alone, because what
stands under them is a number or a tag.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from runcast.records import FileRef, Metrics, Record, Span

_encoder = msgspec.json.Encoder()
_encode = _encoder.encode
_EARLIEST, _LATEST = -(2**63), 2**63 - 1
_PLAIN = frozenset({type(None), bool, int, str, FileRef})
T = TypeVar("T")
_NAMES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(record: Record) -> bytes:
    """JSON of a record: UTF-8 without a raw newline.

    Raises:
        TypeError, ValueError, RecursionError: a value is not JSON-like (the facade prevents this).
    """
    return encode_metrics(record) if type(record) is Metrics else _encode_slow(record)


def encode_metrics(record: Metrics) -> bytes:
    """`encode` for the one kind that a training loop makes at every step."""
    try:
        payload = _encode(record)
    except UnicodeEncodeError:
        return _encode_slow(record)
    # A search in C is cheaper than a look at each value: a number never reads "null" when it is finite.
    # (`find`, because `in` takes twice as long on bytes.)
    return payload if payload.find(b"null") < 0 else _encode_slow(record)


def encode_many(records: list[Record]) -> list[bytes]:
    """`encode` of each; fast where all of them are metrics."""
    if set(map(type, records)) == {Metrics}:
        try:
            payloads = list(map(_encode, records))
        except UnicodeEncodeError:
            pass
        else:
            if b"".join(payloads).find(b"null") < 0:
                return payloads
    return list(map(encode, records))


def _encode_slow(record: Record) -> bytes:
    plain = {name: getattr(record, name) for name in record.__struct_fields__}
    each = isinstance(record, Metrics)
    packed = type(record)(**{name: _each(pack, value, each) for name, value in plain.items()})
    return to_json(packed)


def decode(payload: bytes) -> Record:
    """The record that `encode` wrote.

    Raises:
        msgspec.ValidationError: valid JSON, but no record that this version knows.
        msgspec.DecodeError, ValueError: no JSON at all.
    """
    record = _decode(payload)
    if not _EARLIEST <= record.time <= _LATEST:
        raise msgspec.ValidationError("`time` is no int64 of nanoseconds")
    return record


def decode_many(payloads: list[bytes]) -> list[Record] | None:
    """`decode` of each, in one call; None where one of them wants to be looked at by itself."""
    whole = b"[%b]" % b",".join(payloads)
    if whole.find(b'"$') >= 0:
        return None
    try:
        records = _decoder_of_many().decode(whole)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if len(records) != len(payloads):
        return None
    times = [record.time for record in records]
    return records if not times or (min(times) >= _EARLIEST and max(times) <= _LATEST) else None


def _decode(payload: bytes) -> Record:
    if payload.find(b'"$') >= 0:
        return _decode_slow(payload)
    try:
        return _decode_typed(payload)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates
        return _decode_slow(payload)


def _make_decoder(payload: bytes) -> Record:
    # At the first use: a training script writes and seldom reads, and the schema of all kinds costs 2 ms.
    global _decode_typed
    _decode_typed = msgspec.json.Decoder(Record).decode
    return _decode_typed(payload)


_decode_typed: Callable[[bytes], Record] = _make_decoder


@cache
def _decoder_of_many() -> msgspec.json.Decoder[list[Record]]:
    return msgspec.json.Decoder(list[Record])


def _decode_slow(payload: bytes) -> Record:
    import json

    plain = json.loads(payload)
    if isinstance(plain, dict):
        each = plain.get("kind") == "metrics"
        plain = {name: _each(unpack, value, each) for name, value in plain.items()}
    record: Record = msgspec.convert(plain, Record)
    return record


def to_json(value: Any) -> bytes:
    """JSON of a msgspec struct or plain value; it may hold lone surrogates, but only packed floats."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        import json  # most scripts never need it, and their first import should be short

        return json.dumps(msgspec.to_builtins(value), ensure_ascii=True, allow_nan=False).encode()


def from_json(data: bytes, kind: type[T]) -> T:
    """What `to_json` wrote.

    Raises:
        msgspec.DecodeError, ValueError: it is something else.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        import json

        return msgspec.convert(json.loads(data), kind, str_keys=True)


def _each(change: Callable[[Any], Any], value: Any, each: bool) -> Any:
    """`change` a field of a record, or each number of a metrics record, whose names stay as they are."""
    if each and type(value) is dict:
        return {key: change(number) for key, number in value.items()}
    return change(value)


def pack(value: Any) -> Any:
    """Make a JSON-like value safe for `encode`: tag non-finite floats, escape ``$`` keys.

    Raises:
        TypeError: not JSON-like; the encoder would turn it into something else without a word.
    """
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {("$" + k if k[:1] == "$" else k): pack(v) for k, v in value.items()}
    if kind is list or kind is tuple:
        return [pack(v) for v in value]
    if kind is Span:
        return Span(**{name: pack(getattr(value, name)) for name in value.__struct_fields__})
    raise TypeError(f"{kind.__qualname__} is not JSON-like")


def unpack(value: Any) -> Any:
    """Undo `pack`.

    Raises:
        ValueError: a tag that `pack` does not write.
    """
    if type(value) is dict:
        if len(value) == 1 and "$float" in value:
            if (name := value["$float"]) not in ("nan", "inf", "-inf"):
                raise ValueError(f"no float: {name!r}")
            return _NAMES[name]
        return {(k[1:] if k[:2] == "$$" else k): unpack(v) for k, v in value.items()}
    if type(value) is list:
        return [unpack(v) for v in value]
    return value

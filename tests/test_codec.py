"""Records survive the trip through JSON bit for bit."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runcast import codec, records
from runcast.records import FileRef, Metrics, Params, Span

# Everything that Python calls text: lone surrogates, NUL, U+2028 and the tag's own sign included.
texts = st.one_of(
    st.text(st.characters(), max_size=12),
    st.text('\0\n\r\u2028\x7f\ud800\udfff$"\\_x', max_size=6),
    st.sampled_from(["", "$", "$float", "$$float", "null", '"$']),
).map(lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))  # join pairs
floats = st.floats(allow_nan=True, allow_infinity=True)
ints = st.one_of(st.integers(), st.sampled_from([2**63, -(2**63), 2**64, 2**70, -(2**70)]))
scalars = st.one_of(st.booleans(), ints, floats)
plain = st.recursive(
    st.one_of(st.none(), scalars, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)
times = st.integers(min_value=-(2**63), max_value=2**63 - 1)
files = st.builds(FileRef, path=texts, sha256=texts, size=st.integers(0, 2**63), held=texts, uri=texts)
optional = st.one_of(st.none(), texts)
objects = st.dictionaries(texts, plain, max_size=3)
spans = st.builds(
    Span, id=texts, parent=optional, name=texts, type=texts, start=times, end=times, error=optional,
    inputs=plain, outputs=plain, attributes=objects, events=st.lists(objects, max_size=1),
)  # fmt: skip

RECORDS: dict[type[Any], st.SearchStrategy[Any]] = {
    records.RunStarted: st.builds(
        records.RunStarted, time=times, run=texts, experiment=texts, name=texts, parent=optional,
        resumed=st.booleans(), group=optional, user=optional, base=texts,
        backends=st.dictionaries(texts, objects, max_size=2), writer=st.just(""), seq=st.just(0),
    ),
    Params: st.builds(Params, time=times, values=objects, writer=st.just(""), seq=st.just(0)),
    Metrics: st.builds(
        Metrics, time=times, step=times, values=st.dictionaries(texts, scalars, max_size=4),
        writer=st.just(""), seq=st.just(0),
    ),
    records.Tags: st.builds(records.Tags, time=times, values=st.dictionaries(texts, texts, max_size=3)),
    records.Note: st.builds(records.Note, time=times, text=texts),
    records.Media: st.builds(
        records.Media, time=times, key=texts, step=times, type=texts, text=optional,
        file=st.one_of(st.none(), files), caption=optional, files=st.lists(files, max_size=2), data=objects,
    ),
    records.System: st.builds(
        records.System, time=times, values=st.dictionaries(texts, scalars, max_size=4),
    ),
    records.Define: st.builds(
        records.Define, time=times, key=texts, goal=st.sampled_from([None, "minimize", "maximize"]),
        summary=st.lists(texts, max_size=2),
    ),
    records.Model: st.builds(
        records.Model, time=times, name=texts, flavor=texts, files=st.lists(files, max_size=2), digest=texts,
        step=st.one_of(st.none(), times), signature=st.one_of(st.none(), objects), example=plain,
        requirements=st.lists(texts, max_size=2), register_as=optional, metadata=objects, data=objects,
    ),
    records.Input: st.builds(
        records.Input, time=times, name=texts, type=texts, context=optional, digest=texts, source=optional,
        files=st.lists(files, max_size=1), metadata=objects,
    ),
    records.Environment: st.builds(
        records.Environment, time=times, values=objects, files=st.lists(files, max_size=1),
    ),
    records.Trace: st.builds(
        records.Trace, time=times, id=texts, spans=st.lists(spans, max_size=2),
        tags=st.dictionaries(texts, texts, max_size=2), session=optional,
    ),
    records.Artifact: st.builds(
        records.Artifact, time=times, name=texts, type=texts, files=st.lists(files, max_size=2),
        digest=texts, aliases=st.lists(texts, max_size=2), metadata=objects,
    ),
    records.RunFinished: st.builds(
        records.RunFinished, time=times, status=st.sampled_from(["finished", "crashed"]), error=optional,
        of=optional,
    ),
    records.Lost: st.builds(records.Lost, time=times, key=texts, reason=texts, count=st.integers(0, 2**63)),
}  # fmt: skip


def same(a: Any, b: Any) -> bool:
    """Equality that knows NaN, the sign of zero and the type of a number."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, msgspec.Struct):
        return all(same(getattr(a, f), getattr(b, f)) for f in a.__struct_fields__)
    return bool(a == b)


def test_every_kind_is_tried() -> None:
    """The round trip below covers each kind of record that exists."""
    assert set(RECORDS) == set(records.KINDS)


@pytest.mark.fault(
    "F23",
    how="records of every kind with generated values",
    outcome="a record comes back as it went",
)
@settings(max_examples=800, deadline=None)
@given(st.one_of(*RECORDS.values()))
@example(Params(time=1, values={"$float": "nan"}))
@example(Params(time=1, values={"a": {"$float": "nan"}}))
@example(Params(time=1, values={"a": {"$$float": [math.nan, {"$": -0.0}]}}))
@example(Metrics(time=1, step=1, values={"$float": math.inf, "\ud800": math.nan}))
@example(Metrics(time=1, step=1, values={"null": 1, 'a"$': 2**70}))
def test_a_record_comes_back_as_it_went(record: Any) -> None:
    """Any record of any kind is the same after encode and decode, on one line."""
    payload = codec.encode(record)

    assert b"\n" not in payload
    assert same(record, codec.decode(payload))


@settings(max_examples=300, deadline=None)
@given(RECORDS[Metrics])
def test_the_fast_path_says_what_the_slow_path_says(record: Metrics) -> None:
    """Metrics take a short cut; both ways mean the same, and each reads the other's."""
    fast, slow = codec.encode(record), codec._encode_slow(record)

    assert json.loads(fast) == json.loads(slow)
    assert same(codec.decode(fast), codec._decode_slow(fast))
    assert same(codec.decode(slow), record)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORDS[Metrics] | RECORDS[Params], max_size=4) | st.lists(RECORDS[Metrics], max_size=4))
def test_many_records_are_spelled_as_each_of_them(some: list[Any]) -> None:
    """And read as each of them, where the fast way reads them at all."""
    spelled = [codec.encode(record) for record in some]
    assert codec.encode_many(some) == spelled
    read = codec.decode_many(spelled)
    assert read is None or repr(read) == repr([codec.decode(payload) for payload in spelled])


def test_json_never_holds_a_number_that_json_lacks() -> None:
    """NaN and the infinities are tagged, never ``null`` and never a bare token."""
    payload = codec.encode(Metrics(time=1, step=2, values={"a": math.nan, "b": math.inf, "c": -math.inf}))

    assert json.loads(payload)["values"] == {
        "a": {"$float": "nan"}, "b": {"$float": "inf"}, "c": {"$float": "-inf"},
    }  # fmt: skip


def test_a_tuple_is_a_list_with_its_nan() -> None:
    """A NaN inside a tuple is not turned into nothing."""
    back = codec.decode(codec.encode(Params(time=1, values={"a": (1, math.nan)})))

    assert isinstance(back, Params)
    assert same(back.values, {"a": [1, math.nan]})


def test_two_surrogates_that_make_a_pair_become_the_character_they_mean() -> None:
    """JSON cannot tell the two apart; this is the one text that does not come back as it went."""
    back = codec.decode(codec.encode(records.Note(time=1, text="\ud83d\ude00 \ud83d")))

    assert same(back, records.Note(time=1, text="\U0001f600 \ud83d"))


@pytest.mark.parametrize("value", [b"abc", {1, 2}, object(), 1j, {"a": [b""]}])
def test_what_is_not_json_like_is_refused(value: Any) -> None:
    """Bytes would become base64 text in silence; the encoder says no instead."""
    with pytest.raises(TypeError):
        codec.encode(Params(time=1, values={"a": value}))


def test_deep_nesting_is_kept_or_refused_but_never_bent() -> None:
    """80 levels come back; 100,000 raise the error that is documented."""
    deep: Any = math.nan
    for _ in range(80):
        deep = {"$a": [deep]}
    record = Params(time=1, values={"deep": deep})
    assert same(codec.decode(codec.encode(record)), record)

    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        codec.encode(Params(time=1, values={"deep": deep}))


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"null", b"{", b"[]", b'{"kind":"new_kind","time":1}',
        b'{"kind":"params","time":1,"values":{"a":{"$float":"1"}}}',
        b'{"kind":"metrics","time":1,"step":1,"values":{"a":{"$float":["nan"]}}}',
    ],
)  # fmt: skip
def test_other_json_is_refused_with_a_documented_error(payload: bytes) -> None:
    """Nothing but the errors that a reader expects comes out of `decode`."""
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        codec.decode(payload)


def test_fields_of_a_later_version_are_passed_over() -> None:
    """A record with a field that this version does not know is read without it."""
    back = codec.decode(b'{"kind":"note","time":1,"text":"x","colour":"red"}')

    assert same(back, records.Note(time=1, text="x"))

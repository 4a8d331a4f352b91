"""Rows and summaries read many at a time, against the decoder that reads one record after another."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runcast.formats import wandb_log
from runcast.formats.wandb_log.decode import decode
from runcast.formats.wandb_log.wire import data

_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_numbers = st.floats() | st.integers() | st.booleans()
_cells = st.recursive(
    _numbers | st.none() | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=5,
)
_rows = st.lists(st.dictionaries(_names, _cells, max_size=6), min_size=1, max_size=6)


def _content(values: dict[str, Any], step: int) -> bytes:
    payload = wandb_log.encode(wandb_log.History(step=step, values=values), 7)
    kind, begin, end = wandb_log.kind_of(payload)
    assert kind == 2
    return payload[begin:end]


def _slowly(content: bytes) -> dict[str, Any]:
    entry = decode(data(2, content))[1]
    assert isinstance(entry, wandb_log.History)
    return entry.values


@settings(max_examples=80, deadline=None)
@given(_rows, st.integers(0, 2**63 - 1))
@example([{"loss": float("nan")}, {"loss": float("inf"), "n": 2**80}], 3)
@example([{"\x82\x01": 1.5, "é": "\ud83d\ude00"}, {"a" * 200: "b" * 20_000}], 0)
def test_many_rows_are_what_each_of_them_is(values: list[dict[str, Any]], step: int) -> None:
    """Whatever is in them, the rows are those of the decoder; it may be left to read them one by one."""
    contents = [_content(row, step + n) for n, row in enumerate(values)]
    expected = [_slowly(content) for content in contents]
    together = wandb_log.rows(contents)
    assert together is None or repr(together) == repr(expected)
    assert repr([wandb_log.row(content) for content in contents]) == repr(expected)


@given(st.lists(st.dictionaries(_names, _numbers, min_size=1, max_size=9), min_size=1, max_size=9))
def test_rows_of_numbers_are_read_together(values: list[dict[str, Any]]) -> None:
    """The kind of row that there is most of takes the fast way, but for a few strange names."""
    contents = [_content(row, n) for n, row in enumerate(values)]
    together = wandb_log.rows(contents)
    if together is None:
        assert any(re.search(rb"[\x00-\x1f\x82]", name.encode()) for row in values for name in row)
    else:
        assert repr(together) == repr(values)


@settings(max_examples=150, deadline=None)
@given(_rows, st.data())
def test_damaged_items_are_never_taken_for_others(values: list[dict[str, Any]], draw: st.DataObject) -> None:
    """Where a byte is another, what comes together is what comes one by one, or nothing."""
    contents = [_content(row, n) for n, row in enumerate(values)]
    which = draw.draw(st.integers(0, len(contents) - 1))
    whole = bytearray(contents[which])
    at = draw.draw(st.integers(0, len(whole) - 1))
    whole[at : at + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=2))
    contents[which] = bytes(whole)
    together = wandb_log.rows(contents)
    if together is not None:
        assert repr(together) == repr([_slowly(content) for content in contents])
    leaves = wandb_log.leaves(contents)
    if leaves is not None:
        parts = [wandb_log.leaves([content]) for content in contents]
        assert list(leaves) == [leaf for part in parts for leaf in part or ()]


@pytest.mark.parametrize("part", [b"\x0a", b"\x0a\x12", b"\x12\x0ac", b"\x0a\x05\x12\x01a"])
def test_no_bytes_take_long(part: bytes) -> None:
    """A megabyte that looks like the beginning of an item all the time is given up on in one pass."""
    assert wandb_log.rows([part * (1_000_000 // len(part))]) is None

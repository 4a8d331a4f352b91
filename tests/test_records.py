"""The record kinds: closed, immutable, small."""

from __future__ import annotations

import pytest

from runcast import records
from runcast.records import Metrics, Note, Params, Tags, kind, split


def test_the_union_and_the_list_of_kinds_agree() -> None:
    """`KINDS` names exactly the members of `Record`."""
    assert set(records.Record.__args__) == set(records.KINDS)


def test_each_kind_has_its_own_spelling() -> None:
    """No two kinds share a tag; a record tells its own."""
    tags = [cls.__struct_config__.tag for cls in records.KINDS]

    assert len(set(tags)) == len(tags)
    assert kind(Metrics(time=1, step=0, values={})) == "metrics"


def test_a_record_cannot_be_changed() -> None:
    """Records are frozen: what was journalled is what is delivered."""
    note = Note(time=1, text="a")

    with pytest.raises(AttributeError):
        note.text = "b"  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    "record",
    [
        Metrics(time=1, step=7, values={"a": 1, "b": 2.0}, writer="w", seq=3),
        Params(time=1, values={"a": 1, "b": [2]}, writer="w", seq=3),
        Tags(time=1, values={"a": "1", "b": "2"}, writer="w", seq=3),
    ],
)
def test_split_gives_one_record_a_name_with_the_same_identity(record: Metrics | Params | Tags) -> None:
    """The parts hold everything once, and carry writer, number and time of the whole."""
    parts = split(record)

    assert [list(part.values) for part in parts] == [["a"], ["b"]]
    assert {k: v for part in parts for k, v in part.values.items()} == record.values
    assert {(type(part), part.time, part.writer, part.seq) for part in parts} == {(type(record), 1, "w", 3)}


@pytest.mark.parametrize("record", [Note(time=1, text=""), Metrics(time=1, step=0, values={"a": 1})])
def test_what_has_no_parts_comes_back_alone(record: Note | Metrics) -> None:
    """A record of one name, or of a kind without names, is its own only part."""
    assert split(record) == [record]

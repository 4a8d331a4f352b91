"""Names that a tracker refuses become legal, and come back."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runcast.names import escape, unescape

MLFLOW = re.compile(r"[^\w/. \-]|\.\.|//|^/|/$|[^\x00-\x7f]")
STRICT = re.compile(r"[^A-Za-z0-9_\-]")
names = st.one_of(
    st.text(st.characters(), max_size=30),
    st.text("_x05fe4m1\0/.", max_size=30),
    st.sampled_from(["_xempty_", "_x5f_xempty_", "_x110000_", "_xffffffffff_", "_x0041_", "_x41_x42_"]),
)


@pytest.mark.fault(
    "F24",
    how="generated names: NUL, surrogates, separators, any length",
    outcome="the mapping is reversible",
)
@settings(max_examples=800, deadline=None)
@given(names)
@example("")
@example("_x41\0")
@example("_x_x5f_")
@example("\ud800_x2028_\u2028")
def test_every_name_comes_back(name: str) -> None:
    """Escaped and turned back, each name is what it was, and the escaped form is legal."""
    for illegal in (MLFLOW, STRICT):
        legal = escape(name, illegal, 1000)
        assert not illegal.search(legal)
        assert unescape(legal) == name


@pytest.mark.fault(
    "F24",
    how="pairs of such names",
    outcome="never the same spelling",
)
@settings(max_examples=500, deadline=None)
@given(names, names)
@example("", "_xempty_")
@example("a", "A")
@example("\0", "_x0_")
def test_two_names_never_meet(a: str, b: str) -> None:
    """Different names stay different."""
    assert (escape(a, STRICT, 1000) == escape(b, STRICT, 1000)) == (a == b)


@settings(max_examples=300, deadline=None)
@given(st.text("ab_x0\0\u2028", min_size=20, max_size=90), st.integers(32, 64))
def test_a_long_name_keeps_its_head_and_stays_within_the_limit(name: str, limit: int) -> None:
    """Whatever is too long is cut to the limit, legal, and the same each time."""
    legal = escape(name, STRICT, limit)

    assert len(legal) <= limit
    assert not STRICT.search(legal)
    assert legal == escape(name, STRICT, limit)


def test_long_names_with_one_head_are_told_apart() -> None:
    """Two names that differ only behind the limit get different digests."""
    assert escape("a" * 300 + "1", STRICT, 250) != escape("a" * 300 + "2", STRICT, 250)


def test_a_name_that_reads_as_a_cut_one_does_not_meet_it() -> None:
    """Somebody logs a metric under the very name that a longer one was cut to."""
    cut = escape("a" * 300, STRICT, 250)

    assert escape(cut, STRICT, 250) != cut


def test_a_legal_name_stays_as_it_is() -> None:
    """The usual name is untouched."""
    assert escape("train/loss", MLFLOW, 250) == "train/loss"
    assert unescape("train/loss") == "train/loss"


def test_names_that_were_never_escaped_do_not_break_unescape() -> None:
    """A tracker's own names may look like an escape beyond Unicode, or like a longer spelling of one."""
    for foreign in ("_x110000_", "_xfffffffffffffffff_", "_x0041_"):
        assert unescape(foreign) == foreign

"""Several registries in one call: what each answered, and what a second call does where one was down."""

from __future__ import annotations

import pytest

from runcast.errors import RegistryError, Retry, UsageError
from runcast.model_registry import Registries

from .toy import Killed, Shelf, opened

Shelves = dict[str, Shelf]


@pytest.fixture
def shelves() -> Shelves:
    """Two registries; in both, versions 1, 2 and 3 came into production one after the other."""
    made = {"one": Shelf(3), "other": Shelf(3)}
    with together(made) as both:
        for version in (1, 2, 3):
            both.promote(f"m:{version}", "production").check()
    return made


def together(shelves: Shelves, down: str = "", dies: str = "", after: int = 0) -> Registries:
    """Both in one call; one may be down, or the process may die at one's nth request."""

    def before(name: str, request: int) -> None:
        if name == down:
            raise Retry("it does not answer")
        if name == dies and request == after:
            raise Killed

    return Registries(
        {
            name: opened(shelf, lambda request, name=name: before(name, request), name=name)  # type: ignore[misc]
            for name, shelf in shelves.items()
        }
    )


def at(shelves: Shelves) -> dict[str, int]:
    """Where production is."""
    return {name: shelf.aliases["production"] for name, shelf in shelves.items()}


def test_rollback_moves_all_or_none(shelves: Shelves) -> None:
    """With one registry down nothing moves, however often it is asked; then both go back one step a call."""
    for _ in range(2):
        answer = together(shelves, down="other").rollback("m")
        assert "does not answer" in answer.problems["other"]
        assert "because other does not answer" in answer.problems["one"]
        assert at(shelves) == {"one": 3, "other": 3}
    for version in (2, 1):
        answer = together(shelves).rollback("m").check()
        assert {v.version for v in answer.versions.values()} == {version}
        assert at(shelves) == {"one": version, "other": version}
    with pytest.raises(RegistryError, match="v1 is the first in production"):
        together(shelves).rollback("m").check()


@pytest.mark.parametrize("dies", ["one", "other"])
def test_a_rollback_that_dies_is_finished_by_the_next(shelves: Shelves, dies: str) -> None:
    """Killed at any request, in the first registry or between the two, the same call ends where one ends."""
    before = {name: Shelf(3) for name in shelves}
    for after in range(1, 40):
        for name, shelf in shelves.items():
            before[name].aliases, before[name].events = dict(shelf.aliases), dict(shelf.events)
        try:
            together(before, dies=dies, after=after).rollback("m")
        except Killed:
            if at(before) == {"one": 2, "other": 2}:  # it was over, and only the answer is missing
                continue
            together(before).rollback("m").check()
            assert at(before) == {"one": 2, "other": 2}, after
        else:
            break
    else:
        pytest.fail("it never came to its end")


def test_a_promotion_is_repeated_for_the_one_that_was_down(shelves: Shelves) -> None:
    """The registry that answered has done it; the same call again does it in the other, and nothing twice."""
    answer = together(shelves, down="other").promote("m:1", "production")
    assert (answer.ok, list(answer.versions), list(answer.problems)) == (False, ["one"], ["other"])
    together(shelves).promote("m:1", "production").check()
    assert at(shelves) == {"one": 1, "other": 1}
    assert len(shelves["one"].events) == len(shelves["other"].events) == 4


def test_what_one_answers_is_shown_though_the_other_is_down(shelves: Shelves) -> None:
    """Lists, histories, comparisons and checks name the registry that did not answer, beside the answers."""
    half = together(shelves, down="one")
    for found in (
        half.names(), half.versions(), half.versions("m"), half.history("m"), half.compare(["m"]),
        half.check("m:1", "production"),
    ):  # fmt: skip
        assert list(found) == ["other"]
        assert "does not answer" in found.problems["one"]
    with pytest.raises(RegistryError, match="does not answer"):
        Registries({"one": together(shelves, down="one")["one"]}).names()
    with pytest.raises(UsageError, match="there is no model 'n'; there are m"):
        together(shelves).versions("n")


def test_an_alias_is_taken_away_wherever_it_is(shelves: Shelves) -> None:
    """The same call again finishes it where a registry was down; nowhere is a slip."""
    together(shelves).alias("m:1", "best").check()
    answer = together(shelves, down="other").unalias("m", "best")
    assert (list(answer.versions), list(answer.problems)) == (["one"], ["other"])
    assert list(together(shelves).unalias("m", "best").check().versions) == ["other"]
    with pytest.raises(UsageError, match="has no alias 'best'"):
        together(shelves).unalias("m", "best")

"""Two who promote at once, and death at any point, between any two requests of a tracker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from runcast.errors import PromotionError
from runcast.plugins.registry import ABANDONED

from .toy import Killed, Shelf, opened

pytestmark = pytest.mark.slow


def moved(shelf: Shelf) -> list[tuple[str, int | None, int | None]]:
    """What really happened to the stage."""
    return [
        (e.who, e.previous, e.version) for e in opened(shelf).history("m") if e.alias and e.state != "lost"
    ]


def dying(at: int) -> Callable[[int], None]:
    """Killed before this request."""

    def die(request: int) -> None:
        if request == at:
            raise Killed

    return die


@pytest.mark.parametrize("at", range(1, 26))
def test_whoever_comes_between_two_requests(at: int) -> None:
    """Between any two requests of one promotion, another one as a whole: exactly one of them wins."""
    shelf = Shelf(3)
    opened(shelf).promote("m:1", "production")
    told: list[str] = []
    tries = [1]

    def intrude(request: int) -> None:
        if request == at:
            tries[0] += 1
            try:
                opened(shelf, by="bob").promote("m:3", "production")
            except PromotionError as error:
                told.append(str(error))

    try:
        opened(shelf, intrude).promote("m:2", "production")
    except PromotionError as error:
        told.append(str(error))
    history = moved(shelf)
    assert len(told) == tries[0] - (len(history) - 1)
    assert len(history) > 1
    assert shelf.aliases["production"] == history[-1][2]
    assert [before for _, before, _ in history[1:]] == [after for _, _, after in history[:-1]]
    assert all(event.state != "begun" for event in shelf.events.values())


@pytest.mark.parametrize("at", range(1, 26))
def test_a_promotion_that_dies_is_finished_by_the_next(at: int) -> None:
    """Wherever it was killed, the same call again gives one state and one line in the history."""
    shelf = Shelf(3)
    opened(shelf).promote("m:1", "production")

    try:
        opened(shelf, dying(at)).promote("m:2", "production")
    except Killed:
        assert opened(shelf, by="bob").promote("m:2", "production").version == 2
    assert [(before, after) for _, before, after in moved(shelf)] == [(None, 1), (1, 2)]
    assert shelf.aliases == {"production": 2}
    assert opened(shelf).rollback("m").version == 1


@pytest.mark.parametrize("at", range(1, 26))
def test_what_was_to_be_promoted_is_deleted(at: int) -> None:
    """Wherever a promotion was killed, and its version deleted after that: the next one is not kept."""
    shelf = Shelf(3)
    opened(shelf).promote("m:1", "production")

    with contextlib.suppress(Killed):
        opened(shelf, dying(at)).promote("m:3", "production")
    shelf.versions = 2
    if shelf.aliases["production"] == 3:  # as trackers do
        del shelf.aliases["production"]
    opened(shelf, by="bob", now=1 + ABANDONED).promote("m:2", "production")
    assert shelf.aliases == {"production": 2}
    assert all(event.state != "begun" for event in shelf.events.values())
    assert moved(shelf)[-1][2] == 2


def test_a_move_by_hand_is_noticed() -> None:
    """Somebody moved the alias in the tracker's own pages: the history says so, a rollback undoes it."""
    shelf = Shelf(3)
    opened(shelf).promote("m:1", "production")
    shelf.aliases["production"] = 3
    opened(shelf).promote("m:2", "production")
    assert [(e.action, e.version) for e in opened(shelf).history("m") if e.alias] == [
        ("promoted", 1), ("noticed", 3), ("promoted", 2)
    ]  # fmt: skip
    assert opened(shelf).rollback("m").version == 3
    assert opened(shelf).rollback("m").version == 1


def test_rollback_goes_back_exactly() -> None:
    """After several promotions and rollbacks, it is always the one that was replaced."""
    shelf = Shelf(4)
    registry = opened(shelf)
    for version in (1, 2, 3):
        registry.promote(f"m:{version}", "production")
    assert registry.rollback("m").version == 2
    registry.promote("m:4", "production")
    assert [registry.rollback("m").version for _ in range(2)] == [2, 1]
    with pytest.raises(PromotionError, match="v1 is the first in production"):
        registry.rollback("m")
    with pytest.raises(PromotionError, match="nothing is in staging"):
        registry.rollback("m", "staging")

"""Conditions and orders: what they find, and what they say when they cannot be understood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from runcast import catalog
from runcast.errors import UsageError

if TYPE_CHECKING:
    from journals import Folder

DAY = 86_400 * 10**9
T0 = 1_700_000_000_000_000_000


@pytest.fixture
def many(rc: Folder) -> Folder:
    """Four runs that differ in everything."""
    rc.run(
        "a1",
        name="sgd-1",
        params={"lr": 0.1, "opt": "sgd", "deep": True, "none": None, "odd key": 1},
        tags={"task": "classification"},
        metrics={"val/acc": [0.5, 0.95], "loss": [1, 0.2]},
    )
    rc.run(
        "b2",
        name="adam-1",
        start=T0 + DAY,
        params={"lr": 0.01, "opt": "adam", "deep": False, "size": 10},
        tags={"task": "regression"},
        metrics={"val/acc": [0.97, 0.91], "loss": [1, 0.1]},
        status="failed",
    )
    rc.run(
        "c3",
        name="it's",
        start=T0 + 2 * DAY,
        experiment="other",
        params={"lr": "0.1", "size": 10.5},
        metrics={"loss": [math.nan], "val/acc": [0.99, math.inf]},
        parent="a1",
    )
    rc.run("d4", name="plain", start=T0 + 3 * DAY, status=None, metrics={"count(x)": [2**70]})
    return rc


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("metrics.val/acc > 0.9", "a1 b2 c3"),
        ("metrics.val/acc > 0.9 and params.lr <= 0.1", "a1 b2"),
        (
            "metrics.val/acc > 0.9 and params.lr <= 0.1 and "
            "tags.task = 'classification' and status = finished",
            "a1",
        ),
        ("max.val/acc >= 0.97 and metrics.val/acc < 1", "b2"),
        ("first.val/acc = 0.5", "a1"),
        ("min.loss < 0.15 or status = running", "b2 d4"),
        ("count.loss = 1", "c3"),
        ("metrics.loss = nan", "c3"),
        ("metrics.loss != nan", "a1 b2"),
        ("metrics.loss > 0 or metrics.loss <= 0", "a1 b2"),
        ("metrics.val/acc = inf", "c3"),
        ('metrics."count(x)" > 1e20', "d4"),
        ("params.opt = adam", "b2"),
        ("params.opt = 'adam'", "b2"),
        ("params.opt != adam", "a1"),
        ("params.opt ~ '*d*'", "a1 b2"),
        ("params.lr = 0.1", "a1"),
        ("params.lr = '0.1'", "c3"),
        ("params.lr != 0.1", "b2 c3"),
        ("params.size ~ 10*", "b2 c3"),
        ("params.deep = true", "a1"),
        ("params.none = none", "a1"),
        ('params."odd key" == 1', "a1"),
        ("tags.task ~ 'c*'", "a1"),
        ("tags.task != classification", "b2"),
        ("name = 'it''s'", "c3"),
        ('name = "it\'s"', "c3"),
        ("parent = a1", "c3"),
        ("parent != none", "c3"),
        ("experiment = digits AND (name ~ sgd* OR name ~ adam*)", "a1 b2"),
        ("id = a1 or id = b2 and status = running", "a1"),
        ("(id = a1 or id = d4) and status = running", "d4"),
        ("start > 2023-11-16", "c3 d4"),
        ("end = none", "d4"),
        ("duration = 90", "a1 b2 c3"),
        ("points >= 4", "a1 b2"),
        ('name = "\' OR 1=1 --"', ""),
        ("params.\"x' OR '1'='1\" = 1", ""),
        ("   ", "a1 b2 c3 d4"),
    ],
)
def test_a_condition_finds_its_runs(many: Folder, where: str, found: str) -> None:
    """Each kind of field with each kind of value."""
    assert " ".join(run.id for run in catalog.runs(where=where, sort="id", dir=many.dir)) == found


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("params.lr", r"character 10: expected a comparison \(=, .*\), found the end"),
        ("params.lr << 1", r"character 12: expected a value, found '<'"),
        ("= 3", r"character 1: expected a field, found '='"),
        ("lr = 3", r"character 1: expected a field \(id, .*metrics\.KEY.*\), found 'lr'"),
        ("metrics.a = 1 metrics.b = 2", r"character 15: expected 'and', 'or' or the end, found 'metrics\.b'"),
        ("metrics.a > 'high'", r"character 13: expected a number, found \"'high'\""),
        ("metrics.a > nan", "NaN is neither smaller nor larger"),
        ("tags.fold < 3", "text, which compares only with"),
        ("params.opt < adam", "expected a number after <"),
        ("start > yesterday", r"expected a time, such as 2026-01-31"),
        ("points ~ 3*", "comparison of numbers, not a pattern"),
        ("name = 'open", r"character 8: expected the closing quote, found the end"),
        ("(id = a", r"character 8: expected '\)', found the end"),
        ("id = a and", r"character 11: expected a field, found the end"),
        ("(" * 60 + "id = a", "at most 50 parentheses"),
    ],
)
def test_a_bad_condition_names_place_and_expectation(rc: Folder, where: str, message: str) -> None:
    """The message says where, what was expected and what was found."""
    with pytest.raises(UsageError, match=message):
        catalog.runs(where=where, dir=rc.dir)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (None, "d4 c3 b2 a1"),
        ("start", "a1 b2 c3 d4"),
        ("-metrics.val/acc", "c3 a1 b2 d4"),
        ("metrics.val/acc", "b2 a1 c3 d4"),
        ("min.loss", "b2 a1 d4 c3"),
        ("-name", "a1 d4 c3 b2"),
        ("params.size", "b2 c3 d4 a1"),
        ("-tags.task", "b2 a1 d4 c3"),
        ("-metrics.count(x)", "d4 c3 b2 a1"),
    ],
)
def test_an_order_puts_runs_without_the_field_last(many: Folder, sort: str | None, order: str) -> None:
    """Either way round; ties go newest first."""
    assert " ".join(run.id for run in catalog.runs(sort=sort, dir=many.dir)) == order


def test_an_unknown_sort_names_the_fields(rc: Folder) -> None:
    """A sort is no place for SQL."""
    with pytest.raises(UsageError, match=r"no field 'start; DROP TABLE runs'; there are id, "):
        catalog.runs(sort="start; DROP TABLE runs", dir=rc.dir)


def test_limit_and_total(many: Folder) -> None:
    """A page knows how many there are."""
    page = catalog.runs(limit=2, dir=many.dir)

    assert ([run.id for run in page], page.total) == (["d4", "c3"], 4)
    with pytest.raises(UsageError, match="limit -1"):
        catalog.runs(limit=-1, dir=many.dir)

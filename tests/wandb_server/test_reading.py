"""Lists of runs by W&B's public interface: filters, order, pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from wandb_server import Server

Start = Callable[..., Any]


@pytest.fixture
def five(start: Start) -> None:
    """Five runs with different rates and scores."""
    for n in range(5):
        with start(id=f"r{n}", name=f"run {n}", config={"lr": n / 10, "opt": {"name": "ab"[n % 2]}},
                   tags=["even"] if n % 2 == 0 else [], group=f"g{n // 3}") as run:  # fmt: skip
            run.log({"score": n * n - 4 * n})


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"config.lr": 0.2}, "2"),
    ({"config.lr.value": {"$gte": 0.2, "$lt": 0.4}}, "23"),
    ({"config.opt.name": "a"}, "024"),
    ({"summary_metrics.score": {"$lt": -2}}, "123"),
    ({"tags": "even", "group": "g0"}, "02"),
    ({"$or": [{"display_name": "run 1"}, {"display_name": {"$regex": "4$"}}]}, "14"),
    ({"$and": [{"state": "finished"}, {"group": {"$ne": "g0"}}]}, "34"),
    ({"tags": {"$nin": ["even"]}, "config.lr": {"$exists": True}}, "13"),
    ({"name": {"$in": ["r0", "r9"]}}, "0"),
]


def test_filters(client: Any, server: Server, five: None) -> None:
    """The runs that meet the conditions, and their number."""
    for filters, found in FILTERS:
        runs = client.Api().runs("me/digits", filters=filters)
        assert {run.id for run in runs} == {f"r{n}" for n in found}, filters
        assert len(runs) == len(found)


def test_order_and_pages(client: Any, server: Server, five: None) -> None:
    """By time, by config and by summary, up and down, two at a time."""
    api = client.Api()

    def ids(order: str) -> list[str]:
        return [run.id for run in api.runs("me/digits", order=order, per_page=2)]

    assert ids("+created_at") == ["r0", "r1", "r2", "r3", "r4"]
    assert ids("-created_at") == ["r4", "r3", "r2", "r1", "r0"]
    assert ids("-config.lr.value") == ["r4", "r3", "r2", "r1", "r0"]
    assert ids("+summary_metrics.score")[0] == "r2"
    assert server.calls.count("Runs") == 12
    full = api.runs("me/digits", lazy=False)
    assert {run.id: run.summary["score"] for run in full} == {f"r{n}": n * n - 4 * n for n in range(5)}
    assert {run.config["opt"]["name"] for run in api.runs("me/digits")} == {"a", "b"}


def test_what_is_not_there(client: Any, server: Server, five: None) -> None:
    """A run or a project that nobody made is an error of the client's, and not an empty answer."""
    api = client.Api()
    with pytest.raises(client.errors.CommError, match="Could not find run"):
        api.run("me/digits/r9")
    with pytest.raises(ValueError, match="Could not find project"):
        list(api.runs("me/other"))


def ask(server: Server, query: str, key: bool = True) -> dict[str, Any]:
    """A question by plain HTTP."""
    headers = {"Authorization": "Basic eDp5"} if key else {}
    request = Request(f"{server.url}/graphql", json.dumps({"query": query}).encode(), headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        with error:
            return {**json.load(error), "status": error.code}


def test_the_schema_tells_what_it_has(server: Server) -> None:
    """Introspection is answered by the schema that validates the questions."""
    answer = ask(server, '{ __type(name: "CreateArtifactInput") { name inputFields { name } } }')
    names = {field["name"] for field in answer["data"]["__type"]["inputFields"]}
    assert {"entityName", "digest", "historyStep"} <= names
    assert ask(server, '{ __type(name: "Nothing") { name } }')["data"] == {"__type": None}


@pytest.mark.parametrize(
    ("query", "noted"),
    [
        ("query Odd { viewer { shoeSize } }", "Odd: Cannot query field 'shoeSize' on type 'User'."),
        ("query Odd { weather }", "Odd: Cannot query field 'weather' on type 'Query'."),
        ("mutation M { stopRun(input: {id: 1, now: true}) { success } }", "M: Field 'now' is not defined"),
        ("query Broken { viewer {", "Broken: Syntax Error"),
        (
            'query F { models(entityName: "me") { edges { node { runs(filters: "{\\"moon\\": 1}") '
            "{ totalCount } } } } }",
            "'moon'",
        ),
    ],
)
def test_a_question_that_it_does_not_know(server: Server, query: str, noted: str) -> None:
    """An unknown field, argument or key of a filter is an error for the client, and noted for the test."""
    server.root.upsert_bucket({"name": "r1", "model_name": "digits"})
    assert noted.partition(": ")[2] in str(ask(server, query)["errors"])
    [message] = server.unknown
    assert noted in message
    server.unknown.clear()


def test_an_address_that_it_does_not_know(server: Server) -> None:
    """An unknown path is answered with 404, and noted."""
    with pytest.raises(OSError, match="404"):
        urlopen(f"{server.url}/oidc/x", timeout=10)
    assert server.unknown == ["GET /oidc/x"]
    server.unknown.clear()


def test_no_key(server: Server) -> None:
    """Without a key nothing is told."""
    assert ask(server, "{ viewer { id } }", key=False)["status"] == 401

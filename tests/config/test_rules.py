"""The ``[rules]`` table: names and tags that a team asks for, told at the start."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.config import load
from runcast.errors import ConfigError
from runcast.journal import Layout

RULES = {"required_tags": ["team", "data"], "experiment": r"[a-z]+/[a-z]+", "name": r"\w+-\d+"}


def start(experiment: str, mode: str, **arguments: Any) -> runcast.Run:
    """A run under the rules, that goes nowhere."""
    rules = {**RULES, "on_violation": mode}
    return runcast.start(experiment, config={"rules": rules, "delivery": "later"}, **arguments)


def test_what_keeps_the_rules_is_not_spoken_of(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever form tags are given in; a nested run needs none of its own."""
    with start("fraud/baseline", "error", name="lr-1", tags={"team": "x", "data": "y"}) as run:
        start("fraud/baseline", "error", name="lr-2", parent=run).finish()
    start("fraud/baseline", "error", name="lr-3", tags=["team", "data"]).finish()

    assert not caplog.records


@pytest.mark.parametrize(
    ("experiment", "arguments", "words"),
    [
        ("fraud", {"name": "a-1"}, ["rules.experiment", "'fraud'", "[a-z]+/[a-z]+"]),
        ("Fraud/baseline", {"name": "a-1"}, ["rules.experiment", "'Fraud/baseline'"]),
        ("fraud/baseline", {"name": "a"}, ["rules.name", "'a'", "start(..., name=...)"]),
        ("fraud/baseline", {}, ["rules.name", "was given no name"]),
        ("fraud/baseline", {"name": "a-1", "tags": {"team": "x"}}, ["no tag data", "tags={'data': ...}"]),
    ],
)
def test_what_breaks_one(
    project: Path,
    caplog: pytest.LogCaptureFixture,
    experiment: str,
    arguments: dict[str, Any],
    words: list[str],
) -> None:
    """The message has the rule, the value and the mend; with ``error`` there is no run, else there is."""
    tags = {"team": "x", "data": "y"}
    arguments = {"tags": tags, **arguments}
    with pytest.raises(ConfigError) as refused:
        start(experiment, "error", **arguments)
    assert Layout(project / ".runcast").run_ids() == []
    with caplog.at_level(logging.WARNING, "runcast"):
        start(experiment, "warn", **arguments).finish()

    for word in words:
        assert word in str(refused.value)
        assert word in caplog.text
    assert len(Layout(project / ".runcast").run_ids()) == 1


def test_a_resumed_run_was_started_before(project: Path) -> None:
    """It is not asked again: a job must go on."""
    with runcast.start("old", config={"delivery": "later"}) as run:
        pass
    start("old", "error", resume=run.id).finish()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"experiment": "("}, "`rules.experiment` = '(' (argument): no regular expression"),
        ({"on_violation": "shout"}, "`rules.on_violation` = 'shout' (argument): allowed: warn, error"),
        ({"required_tag": []}, "there is no setting `rules.required_tag`; do you mean `rules.required_tags`"),
        ([], "`rules` is a table with required_tags"),
    ],
)
def test_rules_that_are_none(project: Path, rules: Any, message: str) -> None:
    """Told when the configuration is read."""
    with pytest.raises(ConfigError) as refused:
        load({"rules": rules})

    assert message in str(refused.value)


def test_by_a_variable(project: Path) -> None:
    """Tags as a list with commas."""
    rules = load(environ={"RUNCAST_RULES__REQUIRED_TAGS": "team, data"}).settings.rules

    assert rules.required_tags == ["team", "data"]

"""The first choice for every profile there is."""

from __future__ import annotations

from itertools import product

import pytest

import runcast
from runcast.selector.rules import BUDGETS, FRAMEWORKS, HOSTINGS, TEAM_SIZES, choose_ready, rank

PROFILES = list(product(TEAM_SIZES, BUDGETS, HOSTINGS, FRAMEWORKS))


def expected(team_size: str, budget: str, hosting: str, framework: str) -> str:
    """The rules as they were asked for, one sentence each."""
    deep = framework in ("pytorch", "tensorflow")
    sentences = [
        (budget == "free" and hosting == "self-hosted" and deep, "tensorboard"),
        (budget == "free" and hosting == "self-hosted", "mlflow"),
        (team_size == "large" and budget != "free", "wandb"),
        (framework == "sklearn", "mlflow"),
        (hosting == "self-hosted", "mlflow"),
        (True, "wandb"),
    ]
    return next(tracker for holds, tracker in sentences if holds)


def test_there_are_108_profiles() -> None:
    """Three team sizes, three budgets, three hostings, four frameworks."""
    assert len(PROFILES) == 108


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
def test_the_first_choice_follows_the_rules(profile: tuple[str, str, str, str]) -> None:
    """Each profile gets the tracker of its first sentence that holds, and each tracker stands once."""
    answer = runcast.select(*profile)
    names = [choice.backend for choice in answer.choices]
    assert names[0] == expected(*profile)
    assert sorted(names)[:4] == sorted({*names} & {"local", "mlflow", "tensorboard", "wandb", "csv"})[:4]
    assert answer.first.reasons[0]
    assert answer.backends[0] == names[0]


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
def test_the_equal_second_is_mlflow(profile: tuple[str, str, str, str]) -> None:
    """Only where no other rule holds are W&B and MLflow equals."""
    answer = runcast.select(*profile)
    team_size, budget, hosting, framework = profile
    otherwise = (
        hosting != "self-hosted"
        and framework != "sklearn"
        and not (team_size == "large" and budget != "free")
    )
    assert answer.equal == otherwise
    if otherwise:
        assert [choice.backend for choice in answer.choices[:2]] == ["wandb", "mlflow"]


def test_the_framework_may_be_left_open() -> None:
    """Free and self-hosted without a word on the framework is MLflow."""
    assert runcast.select(budget="free", hosting="self-hosted").first.backend == "mlflow"


@pytest.mark.parametrize(
    ("ready", "accounts", "choice"),
    [
        (["wandb", "mlflow", "tensorboard"], ["wandb"], "wandb"),
        (["wandb", "mlflow", "tensorboard"], [], "mlflow"),
        (["wandb", "tensorboard"], [], "wandb"),
        (["mlflow", "tensorboard"], [], "mlflow"),
        (["tensorboard"], [], "tensorboard"),
    ],
)
def test_between_equals_the_one_that_is_ready_wins(
    ready: list[str], accounts: list[str], choice: str
) -> None:
    """What is installed counts first, then whether there is a key."""
    ranking = rank("individual", "free", "either", "pytorch")
    assert choose_ready(ranking, ready, accounts) == choice

"""The first choice for every profile there is."""

from __future__ import annotations

from itertools import product

import pytest

import runcast
from runcast.selector.rules import BUDGETS, FRAMEWORKS, HOSTINGS, TEAM_SIZES, choose_ready, rank

PROFILES = list(product(TEAM_SIZES, BUDGETS, HOSTINGS, FRAMEWORKS))
LETTERS = {"T": "tensorboard", "M": "mlflow", "W": "wandb", "=": "wandb"}
FIRST = """
    individual free       cloud:  = = M =   self-hosted:  T T M M   either:  = = M =
    individual limited    cloud:  = = M =   self-hosted:  M M M M   either:  = = M =
    individual enterprise cloud:  = = M =   self-hosted:  M M M M   either:  = = M =
    small      free       cloud:  = = M =   self-hosted:  T T M M   either:  = = M =
    small      limited    cloud:  = = M =   self-hosted:  M M M M   either:  = = M =
    small      enterprise cloud:  = = M =   self-hosted:  M M M M   either:  = = M =
    large      free       cloud:  = = M =   self-hosted:  T T M M   either:  = = M =
    large      limited    cloud:  W W W W   self-hosted:  W W W W   either:  W W W W
    large      enterprise cloud:  W W W W   self-hosted:  W W W W   either:  W W W W
"""
"""Written out by hand from the rules as they were asked for: pytorch, tensorflow, sklearn, mixed.

T: TensorBoard, M: MLflow, W: W&B, =: W&B with MLflow as the equal second.
"""


def written() -> dict[tuple[str, ...], str]:
    """Profile → letter."""
    found: dict[tuple[str, ...], str] = {}
    for line in filter(None, map(str.strip, FIRST.splitlines())):
        team_size, budget, *rest = line.split()
        for place in range(0, len(rest), 5):
            hosting, *letters = rest[place : place + 5]
            for framework, letter in zip(FRAMEWORKS, letters, strict=True):
                found[team_size, budget, hosting.rstrip(":"), framework] = letter
    return found


def test_there_are_108_profiles() -> None:
    """Three team sizes, three budgets, three hostings, four frameworks; each is written out."""
    assert len(PROFILES) == 108
    assert set(written()) == set(PROFILES)


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
def test_the_first_choice_follows_the_rules(profile: tuple[str, str, str, str]) -> None:
    """Each profile gets what is written; each tracker stands once, with its reason; equals are called so."""
    letter = written()[profile]
    answer = runcast.select(*profile)
    names = [choice.backend for choice in answer.choices]
    assert names[0] == answer.backends[0] == LETTERS[letter]
    assert len(set(names)) == len(names)
    assert {"mlflow", "wandb", "tensorboard", "local"} <= set(names)
    assert all(choice.reasons for choice in answer.choices)
    assert answer.equal == (letter == "=")
    if answer.equal:
        assert names[:2] == ["wandb", "mlflow"]


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

"""Which tracker comes first, by rules that fit on a page. No imports beyond the ground: `start` uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TEAM_SIZES = ("individual", "small", "large")
BUDGETS = ("free", "limited", "enterprise")
HOSTINGS = ("cloud", "self-hosted", "either")
FRAMEWORKS = ("pytorch", "tensorflow", "sklearn", "mixed")
PACKAGES = {"mlflow": "mlflow", "wandb": "wandb"}
"""Built-in backend → module without which choosing it makes little sense."""
_DEEP = ("pytorch", "tensorflow")


class Ranking(NamedTuple):
    """The built-in trackers in order of preference.

    Attributes:
        names: best first.
        reason: why the first is first.
        equal: whether the second is as good as the first.
    """

    names: tuple[str, ...]
    reason: str
    equal: bool = False


def rank(team_size: str, budget: str, hosting: str, framework: str | None) -> Ranking:
    """Apply the first rule that fits; the words are those of the constants above."""
    if budget == "free" and hosting == "self-hosted":
        if framework in _DEEP:
            why = f"free and self-hosted: TensorBoard needs no server and comes from {framework}'s own world"
            return Ranking(("tensorboard", "mlflow", "wandb"), why)
        why = "free and self-hosted: MLflow is free software, all on your own machine"
        return Ranking(("mlflow", "tensorboard", "wandb"), why)
    if team_size == "large" and budget != "free":
        why = "a large team with a budget: W&B has the shared workspaces, reports and rights that it needs"
        return Ranking(("wandb", "mlflow", "tensorboard"), why)
    if framework == "sklearn":
        why = "scikit-learn: MLflow has a native form for its models, from logging to serving"
        return Ranking(("mlflow", "wandb", "tensorboard"), why)
    if hosting == "self-hosted":
        why = "self-hosted: MLflow runs on your own machines without a licence"
        return Ranking(("mlflow", "tensorboard", "wandb"), why)
    why = "W&B's free tier asks for no server; MLflow is as good where you would rather run your own"
    return Ranking(("wandb", "mlflow", "tensorboard"), why, equal=True)


def complement(first: str, team_size: str, framework: str | None) -> tuple[str, str] | None:
    """A second tracker that has what the first lacks, and why; None where one is enough."""
    if first == "mlflow" and framework in _DEEP:
        return "tensorboard", "histograms, graphs, embeddings and profiles, which MLflow does not show"
    if first == "tensorboard" and team_size != "individual":
        return "mlflow", "a model registry and a searchable table of runs, which TensorBoard lacks"
    return None


def choose_ready(ranking: Ranking, ready: Sequence[str], with_account: Sequence[str]) -> str:
    """The tracker to begin with here and now.

    Args:
        ranking: what `rank` gave.
        ready: names of those that are installed; TensorBoard always is, because runcast writes its files.
        with_account: names of those whose credentials were found; it decides between equals alone.
    """
    usable = [name for name in ranking.names if name in ready]
    equals = [name for name in ranking.names[:2] if ranking.equal and name in usable]
    if len(equals) == 2 and equals[0] not in with_account:
        return equals[1]
    return usable[0]

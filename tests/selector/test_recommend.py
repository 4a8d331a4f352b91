"""Reasons, prices, gains, losses and configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

import runcast
from runcast.config.load import load
from runcast.errors import UsageError
from runcast.plugins import Backend, Capabilities, Description, native
from runcast.plugins.manager import backend_class
from runcast.selector import recommend
from runcast.selector.rules import PACKAGES


def test_a_pytorch_team_gets_tensorboard_beside_mlflow() -> None:
    """Trackers that complement each other are recommended together, with the reason."""
    answer = runcast.select("small", "limited", "self-hosted", "pytorch")
    assert answer.backends == ["mlflow", "tensorboard"]
    assert "histograms" in answer.beside["tensorboard"]


def test_needs_overrule() -> None:
    """Who must have sweeps gets the tracker that has them, and is told why."""
    plain = runcast.select("individual", "free", "self-hosted", "sklearn")
    asked = runcast.select("individual", "free", "self-hosted", "sklearn", needs={"sweeps"})
    assert plain.first.backend == "mlflow"
    assert asked.first.backend == "wandb"
    assert "sweeps" in asked.first.reasons[0]
    assert all("sweeps" in choice.unmet for choice in asked.choices if choice.backend != "wandb")


def test_a_need_can_be_a_row_of_the_capability_matrix() -> None:
    """What a backend declares counts, not what we remember of it."""
    answer = runcast.select(hosting="cloud", needs=["exactly_once"])
    assert not answer.first.unmet
    assert backend_class(answer.first.backend).capabilities.exactly_once.level in ("native", "mapped")


def test_needs_that_nobody_serves_alone_are_served_together() -> None:
    """The first choice keeps its place, and another stands beside it for what it lacks."""
    answer = runcast.select(budget="free", needs=["sweeps", "no-account"])
    served = {"sweeps", "no-account"}
    for choice in answer.choices:
        if choice.backend in answer.backends:
            served -= {need for need in served if need not in choice.unmet}
    assert not served
    assert len(answer.backends) >= 2


def test_gains_and_losses_are_the_capability_matrix() -> None:
    """Each difference to the second choice is one of declared features, with its reason."""
    answer = runcast.select("large", "enterprise", "cloud", "pytorch")
    first, second = (backend_class(choice.backend).capabilities for choice in answer.choices[:2])
    wins = {
        field.description
        for name, field in Capabilities.model_fields.items()
        if getattr(first, name).level == "native" and getattr(second, name).level != "native"
    }
    assert {difference.feature for difference in answer.first.wins} == wins
    assert wins


@pytest.mark.parametrize(
    ("team", "hosting", "low", "high"),
    [(1, "cloud", 0, 0), (3, "cloud", 100, 200), (5, "self-hosted", None, None)],
)
def test_what_wandb_costs(team: int, hosting: str, low: float | None, high: float | None) -> None:
    """One person is free, each further seat is paid for, a licence is the vendor's offer."""
    answer = runcast.select(team, "enterprise", hosting)
    cost = next(choice.cost for choice in answer.choices if choice.backend == "wandb")
    assert (cost.low, cost.high) == (low, high)


@pytest.mark.parametrize("hosting", ["cloud", "self-hosted", "either"])
def test_what_mlflow_costs(hosting: str) -> None:
    """The software is free for one person; the machine of a team is paid by somebody, wherever it is."""
    for team, low, high in ((1, 0, 0), (3, 20, 200)):
        answer = runcast.select(team, "free", hosting, "sklearn")
        mlflow = next(choice for choice in answer.choices if choice.backend == "mlflow")
        assert (mlflow.cost.low, mlflow.cost.high) == (low, high)
        assert any("shared server" in reason for reason in mlflow.reasons) == (team > 1)


def test_who_may_spend_nothing_is_told_what_costs() -> None:
    """A free tier that ends at one person is said, not hidden."""
    answer = runcast.select("small", "free", "cloud", "pytorch")
    assert any("costs money" in reason for reason in answer.first.reasons)


def test_the_configuration_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is a valid runcast.toml that means what was recommended."""
    monkeypatch.chdir(tmp_path)
    answer = runcast.select("small", "limited", "self-hosted", "pytorch")
    (tmp_path / "runcast.toml").write_text(answer.toml)
    settings = load({}).settings
    assert settings.backends == answer.backends
    assert settings.profile.framework == "pytorch"


@pytest.mark.parametrize(
    "wrong",
    [
        {"team_size": "huge"},
        {"team_size": 0},
        {"budget": "fre"},
        {"hosting": "moon"},
        {"framework": "torch"},
        {"needs": ["registri"]},
    ],
)
def test_a_wrong_word_is_named_with_the_right_ones(wrong: dict[str, Any]) -> None:
    """A typo is told with what it may have meant."""
    with pytest.raises(UsageError) as caught:
        runcast.select(**wrong)
    (name,) = wrong
    assert name in str(caught.value)


def test_a_backend_of_a_third_party_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who describes itself is listed, and comes first where it alone serves a need."""

    class Vault(Backend):
        name = "vault"
        capabilities = Capabilities(params=native())
        description: ClassVar = Description(
            title="Vault", hosting=frozenset({"cloud"}), needs=frozenset({"sweeps", "no-server"}),
            strengths=("keeps secrets",), free_seats=0, seat_price=(5, 6),
        )  # fmt: skip

        def open(self, run: Any) -> Any: ...
        def deliver(self, batch: Any) -> Any: ...

    kinds = {name: backend_class(name) for name in ("mlflow", "wandb", "tensorboard", "local")}
    monkeypatch.setattr(recommend, "backend_names", lambda: [*kinds, "vault"])
    monkeypatch.setattr(recommend, "backend_class", lambda name: {**kinds, "vault": Vault}[name])
    answer = runcast.select(3, "limited", "cloud", "mixed")
    listed = next(choice for choice in answer.choices if choice.backend == "vault")
    assert (listed.title, listed.cost.low, listed.cost.high) == ("Vault", 15, 18)
    needed = runcast.select(3, "limited", "cloud", "mixed", needs=["sweeps", "no-server"])
    assert needed.first.backend == "vault"


def test_the_packages_are_those_that_the_backends_require() -> None:
    """The quick choice at `start` knows at least what each backend's own class asks for."""
    for name in ("mlflow", "wandb", "tensorboard"):
        kind = backend_class(name)
        assert set(kind.requires) <= {PACKAGES.get(name)}
        assert kind.description is not None
        assert kind.description.package == PACKAGES.get(name, "")

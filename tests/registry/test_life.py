"""The whole life of a model, with the same assertions on every registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import runcast
from runcast.config import Policy
from runcast.errors import PromotionError
from runcast.model_registry import Refused, Request

POLICY = Policy(
    requires={
        "staging": ["acc >= 0.5"],
        "production": ["acc >= 0.7", "acc >= production - 0.05", "loss no worse than production within 0.01"],
    },
    tags={"production": ["reviewed"]},
    approval=["production"],
    lower_is_better=["loss"],
)


def train(world: Any, depth: int) -> tuple[Any, Any]:
    """A run that trains a tree on digits and logs it; the run, and the tree."""
    from sklearn.datasets import load_digits
    from sklearn.tree import DecisionTreeClassifier

    x, y = load_digits(return_X_y=True)
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(x[:1200], y[:1200])
    run = runcast.start(
        "digits", name=f"depth-{depth}", backends=list(dict.fromkeys(["local", world.backend])),
        config={**world.config, "delivery": "thread", "finish_timeout": 60},
    )  # fmt: skip
    accuracy = tree.score(x[1200:], y[1200:])
    run.log({"acc": accuracy, "loss": 1 - accuracy})
    run.log_model(tree, "tree")
    run.finish()
    return run, tree


def test_the_whole_life(world: Any) -> None:
    """Train, register, stage, be refused, reach production, promote another, roll back, load, predict."""
    from sklearn.datasets import load_digits

    x, _ = load_digits(return_X_y=True)
    name = world.model
    runs = {depth: train(world, depth) for depth in (2, 5, 10)}
    registry = world.registry(POLICY)
    versions = {depth: registry.register(name, run=run) for depth, (run, _) in runs.items()}
    assert [v.run for v in registry.versions(name)] == [run.id for run, _ in runs.values()]
    expected = {depth: run.refs.get(world.backend) for depth, (run, _) in runs.items()}
    assert {d: v.ref for d, v in versions.items()} == {
        d: ref.id if ref else "" for d, ref in expected.items()
    }
    ranked = registry.compare([name], by="acc").versions
    assert [v.version for v in ranked] == [versions[d].version for d in (10, 5, 2)]
    best, second, worst = (f"{name}:v{versions[d].version}" for d in (10, 5, 2))

    with pytest.raises(Refused, match=r"acc >= 0\.5: acc is 0\.\d+"):
        registry.promote(worst, "staging")
    assert registry.promote(second, "staging").stage == "staging"
    with pytest.raises(Refused) as refused:
        registry.promote(second, "production", approve="eve")
    unmet = {check.condition: check.actual for check in refused.value.checks if not check.ok}
    accuracy = versions[5].metrics["acc"]
    assert unmet["tag reviewed"] == "it has no such tag"
    assert unmet.get("acc >= 0.7", f"acc is {accuracy:.6g}") == f"acc is {accuracy:.6g}"

    easy = Policy(tags=POLICY.tags, approval=POLICY.approval, requires={"production": ["acc >= 0.5"]})
    registry.tag(second, {"reviewed": ""})
    with pytest.raises(Refused, match="approval: nobody was asked"):
        world.registry(easy).promote(second, "production")
    first = world.registry(easy).promote(second, "production", approve="eve", note="the first")
    assert (first.stage, first.run) == ("production", runs[5][0].id)
    registry.tag(best, {"reviewed": ""})
    registry.promote(best, "staging")
    asked: list[Request] = []

    def approve(request: Request) -> str:
        asked.append(request)
        return "zoe"

    now = registry.promote(best, "production", approve=approve)
    assert asked[0].current is not None
    assert asked[0].current.version == versions[5].version
    assert (now.stage, sorted(now.aliases)) == ("production", ["production", "staging"])
    assert registry.get(second).stage == "archived"
    assert registry.get(f"{name}/production").version == versions[10].version

    back = world.registry(POLICY, by="bob").rollback(name, note="too slow")
    assert (back.version, back.stage) == (versions[5].version, "production")
    with pytest.raises(PromotionError, match="is the first in production"):
        registry.rollback(name)
    model = world.registry().load(f"{name}@production", trust=True)
    assert (model.predict(x[1200:]) == runs[5][1].predict(x[1200:])).all()
    moves = [
        (e.action, e.who, e.version, e.previous, e.approved_by, e.note)
        for e in registry.history(name)
        if e.alias == "production"
    ]
    old, new = versions[5].version, versions[10].version
    assert moves == [
        ("promoted", "ada", old, None, "eve", "the first"),
        ("promoted", "ada", new, old, "zoe", ""),
        ("rolled back", "bob", old, new, "", "too slow"),
    ]


@pytest.mark.filterwarnings("ignore:.*AnyType:UserWarning")
def test_mlflow_loads_and_shows_it_itself(world_of: Callable[[str], Any]) -> None:
    """MLflow's own client finds the version by alias and stage, and its own loader predicts."""
    import mlflow
    import numpy as np

    world = world_of("mlflow")
    run, tree = train(world, 4)
    registry = world.registry(Policy(in_order=False))
    version = registry.promote(str(registry.register(world.model, run=run)), "production")
    client = mlflow.MlflowClient(tracking_uri=world.config["mlflow"]["uri"])
    assert client.get_model_version_by_alias(world.model, "production").run_id == version.ref
    assert client.get_model_version(world.model, str(version.version)).current_stage == "Production"
    for set_uri in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
        set_uri(world.config["mlflow"]["uri"])
    try:
        loaded = mlflow.pyfunc.load_model(f"models:/{world.model}@production")
        some = np.zeros((3, 64))
        assert (loaded.predict(some) == tree.predict(some)).all()
    finally:
        for set_uri in (mlflow.set_tracking_uri, mlflow.set_registry_uri):
            set_uri(None)

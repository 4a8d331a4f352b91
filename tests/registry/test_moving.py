"""Two who promote at once, and death at any point, on every registry."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast.errors import PromotionError
from runcast.model_registry import ModelRegistry
from runcast.plugins.registry import ModelVersion

from .toy import FREE, Killed, Shelf, opened

pytestmark = pytest.mark.slow


def moved(shelf: Shelf) -> list[tuple[str, int | None, int | None]]:
    """What really happened to the stage."""
    return [
        (e.who, e.previous, e.version) for e in opened(shelf).history("m") if e.alias and e.state != "lost"
    ]


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

    def die(request: int) -> None:
        if request == at:
            raise Killed

    try:
        opened(shelf, die).promote("m:2", "production")
    except Killed:
        assert opened(shelf, by="bob").promote("m:2", "production").version == 2
    assert [(before, after) for _, before, after in moved(shelf)] == [(None, 1), (1, 2)]
    assert shelf.aliases == {"production": 2}
    assert opened(shelf).rollback("m").version == 1


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


def test_two_at_once(world: Any) -> None:
    """Of two real clients one wins, and the other is told so."""
    registry = world.registry(FREE)
    first, second, third = (registry.register(world.model, world.folder_of(text)) for text in "abc")
    registry.promote(str(first), "production")
    gate, results = threading.Barrier(2), {}

    def promote(one: ModelRegistry, version: ModelVersion) -> None:
        one.get(str(version))  # connected
        gate.wait()
        try:
            results[version.version] = one.promote(str(version), "production")
        except PromotionError as error:
            results[version.version] = error

    threads = [threading.Thread(target=promote, args=(world.registry(FREE), v)) for v in (second, third)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [version for version, result in results.items() if isinstance(result, ModelVersion)]
    history = [e for e in registry.history(world.model) if e.alias and e.state != "lost"]
    assert len(results) == 2
    assert len(won) == len(history) - 1  # where both won, one came after the other
    assert won
    assert registry.get(f"{world.model}/production").version == history[-1].version
    if len(won) == 1:
        assert isinstance(results[({second.version, third.version} - set(won)).pop()], PromotionError)


MLFLOW = (
    "create_logged_model", "log_model_artifact", "finalize_logged_model", "create_registered_model",
    "create_model_version", "set_registered_model_tag", "set_registered_model_alias",
    "transition_model_version_stage",
)  # fmt: skip


def targets(backend: str) -> list[tuple[Any, str]]:
    """Where a registry's client changes something."""
    if backend == "mlflow":
        from mlflow import MlflowClient

        return [(MlflowClient, name) for name in MLFLOW]
    if backend == "wandb":
        from wandb.sdk.artifacts.artifact import Artifact

        return [(Artifact, name) for name in ("wait", "save", "link")]
    from runcast.journal import Blobs

    return [(Blobs, "put_file")]


def dying(method: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """The method, after which the process dies when it is its turn."""

    def call(*args: Any, **named: Any) -> Any:
        answer = method(*args, **named)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return answer

    return call


STEPS = [
    *(("local", n) for n in (1, 2, 3)),
    *(("mlflow", n) for n in range(1, 11)),
    *(("wandb", n) for n in range(1, 7)),
]


@pytest.mark.parametrize(("backend", "after"), STEPS)
def test_killed_while_registering_and_promoting(
    world_of: Callable[[str], Any], backend: str, after: int
) -> None:
    """After each request that changes something: the same again gives one version and one state."""
    world = world_of(backend)
    folder: Path = world.folder_of("x")

    def work() -> ModelVersion:
        registry = world.registry(FREE)
        return registry.promote(str(registry.register(world.model, folder)), "production")

    left = [after]
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        for owner, name in targets(backend):
            patch.setattr(owner, name, dying(getattr(owner, name), left))
        work()
    done = work()
    registry = world.registry(FREE)
    assert [v.version for v in registry.versions(world.model)] == [done.version]
    assert [e.action for e in registry.history(world.model)] == ["registered", "promoted"]
    assert (done.stage, done.aliases) == ("production", ["production"])
    assert (
        registry.download(str(done), world.folder / "down").joinpath("weights.bin").read_bytes() == b"x" * 100
    )

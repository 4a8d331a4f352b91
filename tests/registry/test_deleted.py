"""MLflow: versions that somebody deletes in the middle of a move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient

from runcast.model_registry import ModelRegistry
from runcast.plugins.registry import ABANDONED, Event
from runcast.registries.mlflow.registry import MlflowRegistry

from .toy import FREE


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowRegistry]:
    """A model ``gone`` with four versions; nobody who waits for the dead waits for real."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    client.create_registered_model("gone")
    for _ in range(4):
        client.create_model_version("gone", str(tmp_path))
    monkeypatch.setattr(MlflowRegistry, "wait", lambda self, seconds: None)
    options = SimpleNamespace(uri=uri, timeout=20, artifact_location=None)
    made = MlflowRegistry(options, tmp_path, tmp_path)
    yield made
    made.close()


def begun(registry: MlflowRegistry, version: int, previous: int | None) -> None:
    """What a killed process leaves of a promotion."""
    event = Event(
        id="d" * 16, order=9, time=1, who="dead", action="promoted", alias="production", version=version,
        previous=previous, archive=True,
    )  # fmt: skip
    registry.write_event("gone", event)


def promoted(registry: MlflowRegistry, wanted: str) -> list[tuple[str, int | None, str]]:
    """Promote later, and tell the history."""
    later = ModelRegistry(registry, None, FREE, by="bob", clock=lambda: 2 * ABANDONED)  # type: ignore[arg-type]
    assert later.promote(wanted, "production").aliases == ["production"]
    return [(event.who, event.version, event.state) for event in registry.events("gone")]


def test_the_version_of_a_dead_promotion_is_deleted(registry: MlflowRegistry) -> None:
    """It cannot be completed any more: it is undone, and the next one goes its way."""
    begun(registry, 1, None)
    MlflowClient(registry.options.uri, registry.options.uri).delete_model_version("gone", "1")
    assert promoted(registry, "gone:2") == [("dead", 1, "lost"), ("bob", 2, "done")]


def test_the_version_that_a_dead_promotion_replaced_is_deleted(registry: MlflowRegistry) -> None:
    """What it replaced needs no stage any more: it is completed, and the next one goes its way."""
    assert promoted(registry, "gone:2") == [("bob", 2, "done")]
    begun(registry, 3, 2)
    registry.place("gone", "production", 3)
    MlflowClient(registry.options.uri, registry.options.uri).delete_model_version("gone", "2")
    assert promoted(registry, "gone:4") == [("bob", 2, "done"), ("dead", 3, "done"), ("bob", 4, "done")]

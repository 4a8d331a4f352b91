"""Registering, naming, describing, finding and downloading: the same on every registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runcast.errors import UsageError


def test_a_folder_becomes_a_version_once(world: Any, tmp_path: Path) -> None:
    """Registering the same folder again changes nothing; another content is the next version."""
    registry = world.registry()
    first = registry.register(
        world.model, world.folder_of("one"), metrics={"auc": 0.9, "bad": float("nan")},
        description="the first", tags={"task": "fraud", "reviewed": ""}, aliases=["best"],
    )  # fmt: skip
    again = world.registry(by="bob").register(world.model, world.folder_of("one"))
    second = registry.register(world.model, world.folder_of("two"), aliases=["best"])
    assert again.version == first.version
    assert second.version == first.version + 1
    read = world.registry().get(f"{world.model}:v{first.version}")
    assert (read.description, read.tags) == ("the first", {"task": "fraud", "reviewed": ""})
    assert read.metrics["auc"] == 0.9
    assert str(read.metrics["bad"]) == "nan"
    assert (read.by, read.aliases, read.registry) == ("ada", [], world.backend)
    assert world.registry().get(f"{world.model}@best").version == second.version
    assert world.registry().get(world.model).version == second.version
    assert world.registry().get(f"{world.model}@{first.digest[:12]}").version == first.version
    assert [v.version for v in registry.versions(world.model)] == [first.version, second.version]
    assert world.model in registry.names()
    folder = registry.download(f"{world.model}:{first.version}", tmp_path / "down")
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {"weights.bin": b"one" * 100, "sub/labels.txt": b"a b"}
    actions = [(event.action, event.who) for event in registry.history(world.model)]
    assert actions == [
        ("registered", "ada"), ("aliased", "ada"), ("registered", "ada"), ("aliased", "ada")
    ]  # fmt: skip
    registry.describe(f"{world.model}@best", "the second")
    registry.tag(f"{world.model}@best", {"size": "small"})
    registry.unalias(world.model, "best")
    last = world.registry().get(world.model)
    assert (last.description, last.tags, last.aliases) == ("the second", {"size": "small"}, [])
    with pytest.raises(UsageError, match=r"has no alias 'best'; there are"):
        registry.get(f"{world.model}@best")

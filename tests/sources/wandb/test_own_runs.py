"""Runs that runcast's backend wrote come back exactly as they were said."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from wandb_reading import deliver, differences, find, fingerprint, read

from runcast.records import Lost
from runcast.testing import STORIES, Story
from runcast.testing.strategies import stories


@pytest.mark.parametrize("name", sorted(STORIES))
def test_every_story_comes_back(name: str, tmp_path: Path) -> None:
    """Each golden story, with every file; the folder stays as it was."""
    courier = deliver(STORIES[name](), tmp_path)
    before = fingerprint(tmp_path / "wandb")
    came = read(tmp_path / "wandb", tmp_path / "blobs")
    assert not differences(courier.records, came)
    assert fingerprint(tmp_path / "wandb") == before
    assert came == read(tmp_path / "wandb", tmp_path / "blobs2")
    assert _files(courier.layout.blobs) == _files(tmp_path / "blobs")
    assert sum(isinstance(r, Lost) for r in came) == sum(isinstance(r, Lost) for r in courier.records)
    [found] = find(tmp_path)
    assert (found.id, found.runcast) == (courier.id, courier.id)


@given(stories())
@settings(max_examples=60, deadline=None)
def test_any_story_comes_back(story: Story) -> None:
    """Whatever a script says, in batches of three."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        courier = deliver(story, root)
        assert not differences(courier.records, read(root / "wandb", root / "blobs"))


def _files(blobs: Path) -> set[str]:
    return {path.name for path in blobs.rglob("*") if path.is_file()}

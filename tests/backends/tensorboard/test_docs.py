"""``docs/tensorboard.md`` speaks of everything."""

from pathlib import Path

import pytest

from runcast.backends.tensorboard.media import FORMS
from runcast.backends.tensorboard.taking import HANDLERS
from runcast.records import KINDS

PAGE = (Path(__file__).parents[3] / "docs/tensorboard.md").read_text()


@pytest.mark.parametrize("type_", FORMS)
def test_every_type_of_media_has_its_line(type_: str) -> None:
    """Where it is seen, and where its files are."""
    table = PAGE.partition("## Media")[2]
    assert any(f"`{type_}`" in line.split("|")[1] for line in table.splitlines() if line.startswith("|"))


def test_every_kind_has_its_line_and_its_handler() -> None:
    """A kind that is added later fails here."""
    assert set(HANDLERS) == set(KINDS)
    kinds = {str(one.__struct_config__.tag) for one in KINDS}
    assert {kind for kind in kinds if f"`{kind}`" in PAGE.partition("## Media")[0]} == kinds

"""The README's capability table is what the backends declare."""

from __future__ import annotations

from pathlib import Path

from runcast.plugins.matrix import insert, markdown


def test_the_readme_shows_todays_capabilities() -> None:
    """Where it differs: `python -m runcast.plugins.matrix README.md`."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()

    assert insert(readme, markdown()) == readme

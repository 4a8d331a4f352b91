"""A source that every test may fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from runcast.plugins import manager

from .toy import Toy


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A source that every address ``toy:`` leads to, in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    source = Toy()

    class Same(Toy):
        name: ClassVar[str] = "toy"

        def __new__(cls, *args: Any) -> Any:
            return source

    known = manager.source_class
    monkeypatch.setattr(
        "runcast.migrate.address.source_class", lambda name: Same if name == "toy" else known(name)
    )
    return source

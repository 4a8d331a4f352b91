"""A runcast folder to fill with past runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from journals import Folder

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def rc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """An empty runcast folder."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    from journals import Folder

    return Folder(tmp_path / "rc")

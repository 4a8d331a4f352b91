"""Packages put on the path with their metadata, as an installer would, for this process and its children."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Install = Callable[[Path, str], None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """``environment(folder, ...)`` is the one of a child that finds packages in these folders."""

    def make(*folders: Path) -> dict[str, str]:
        path = [*map(str, folders), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}

    return make


@pytest.fixture
def metadata(tmp_path: Path) -> Callable[[str], Path]:
    """``metadata(pyproject)`` writes what an installer writes about that package; gives the folder."""

    def write(pyproject: str) -> Path:
        project = tomllib.loads(pyproject)["project"]
        stem = f"{re.sub('[-.]+', '_', project['name'])}-{project['version']}.dist-info"
        info = tmp_path / "site" / stem
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(head)
        lines = [
            line
            for group, entries in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        return info.parent

    return write

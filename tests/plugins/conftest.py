"""Plugins made up for one test, found through entry points like any installed package."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[..., None]

GOOD = """
    from typing import ClassVar
    from pydantic import SecretStr
    from runcast.plugins import Backend, Capabilities, Options, hookimpl

    class {cls}Options(Options):
        uri: str = "x"
        port: int = 1
        pin: SecretStr | None = None
        tags: list[str] = []

    class {cls}(Backend):
        name = "{name}"
        Options = {cls}Options
        capabilities = Capabilities()
        requires: ClassVar = {requires}
        environment: ClassVar = {{"uri": "ACME_URI"}}

        def open(self, run): ...
        def deliver(self, batch): ...

    @hookimpl
    def runcast_backends():
        return [{cls}]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install(distribution, module, source)`` puts a package with one entry point on ``sys.path``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def do(distribution: str, module: str, source: str, entry: str | None = None) -> None:
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[runcast]\n{entry or module} = {module}\n")

    return do


@pytest.fixture
def good(install: Install) -> Callable[..., None]:
    """``good(name)`` installs a healthy backend of that name."""

    def do(name: str, module: str, requires: str = "{}") -> None:
        install(
            f"dist-{module}", module, GOOD.format(name=name, cls=name.capitalize(), requires=requires), name
        )

    return do

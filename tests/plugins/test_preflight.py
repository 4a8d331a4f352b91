"""Misconfiguration fails at start, with its mend; a good verdict is remembered."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast import cache
from runcast.config import Config, load
from runcast.config import preflight as module
from runcast.config.packages import is_installed
from runcast.config.preflight import preflight, public_options
from runcast.errors import ConfigError
from runcast.redact import MASK


def config(**arguments: Any) -> Config:
    """A configuration made of arguments alone."""
    return load(arguments)


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    """Every test runs in an empty project."""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"urii": "x"}, ["argument: there is no option `acme.urii`; do you mean `acme.uri`?"]),
        ({"port": "many"}, ["`acme.port` = 'many' (argument)", "integer"]),
        ({"uri": 3}, ["`acme.uri` = 3 (argument)", "string"]),
        ({"pin": 4711}, ["`acme.pin` = [redacted] (argument)"]),
        ({"tags": "https://u:hunter2@h"}, ["`acme.tags` = 'https://u:[redacted]@h'", "list"]),
    ],
)
def test_wrong_option_is_named(good: Callable[..., None], options: dict[str, Any], words: list[str]) -> None:
    """The error names backend and option, the value's origin, and what is allowed; never a secret."""
    good("acme", f"acme_wrong_{abs(hash(str(options)))}")

    with pytest.raises(ConfigError) as caught:
        preflight(["acme"], config(acme=options))

    assert all(word in str(caught.value) for word in words)
    assert "hunter2" not in str(caught.value)
    assert "4711" not in str(caught.value)


def test_all_mistakes_at_once(good: Callable[..., None]) -> None:
    """Two wrong backends give one error with both."""
    good("acme", "acme_both")

    with pytest.raises(ConfigError, match=r"(?s)`acme.port`.*no backend 'nothing'"):
        preflight(["acme", "nothing"], config(acme={"port": "x"}))


def test_required_option_says_how_to_set_it(install: Callable[..., None]) -> None:
    """A missing option is answered with the table and the variable."""
    source = """
        from runcast.plugins import Backend, Capabilities, Options, hookimpl
        class O(Options):
            uri: str
        class B(Backend):
            name = "my-need"
            Options = O
            capabilities = Capabilities()
            def open(self, run): ...
            def deliver(self, batch): ...
        @hookimpl
        def runcast_backends():
            return [B]
    """
    install("dist-need", "need_plugin", source)

    with pytest.raises(ConfigError, match=r"under \[my-need\] in runcast.toml, or RUNCAST_MY_NEED__URI"):
        preflight(["my-need"], config())


def test_missing_package_says_what_to_install(good: Callable[..., None]) -> None:
    """A backend whose package is not there fails at start, cold and warm, with the command that mends it."""
    good("acme", "acme_needs", '{"not_there_at_all": "runcast[acme]"}')

    for _ in range(2):
        with pytest.raises(
            ConfigError, match=r"'acme' needs not_there_at_all.*pip install 'runcast\[acme\]'"
        ):
            preflight(["acme"], config())


def test_package_that_went_away_is_noticed(
    good: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered verdict does not hide that the package was uninstalled since."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "soon_gone.py"
    package.write_text("")
    good("acme", "acme_gone", '{"soon_gone": "soon-gone"}')
    preflight(["acme"], config())
    monkeypatch.setattr(module, "_check_cold", lambda *_: pytest.fail("the verdict was not remembered"))
    preflight(["acme"], config())

    package.unlink()
    sys.path_importer_cache.clear()

    with pytest.raises(ConfigError, match="pip install 'soon-gone'"):
        preflight(["acme"], config())


def test_trackers_own_variable_fills_a_gap(
    good: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker's variable counts where runcast says nothing, cold and warm, and only there."""
    good("acme", "acme_env")
    monkeypatch.setenv("ACME_URI", "from-acme")

    for _ in range(2):
        assert preflight(["acme"], config()) == {"acme": {"uri": "from-acme"}}
    assert preflight(["acme"], config(acme={"uri": "mine"})) == {"acme": {"uri": "mine"}}
    monkeypatch.setenv("RUNCAST_ACME__URI", "ours")
    assert preflight(["acme"], config()) == {"acme": {"uri": "ours"}}


def test_options_come_back_as_given(good: Callable[..., None]) -> None:
    """Options stay plain JSON, so that they can travel to the process that uses them."""
    good("acme", "acme_plain")

    options = preflight(["acme"], config(acme={"uri": Path("a/b"), "port": "7", "tags": ("a",)}))

    assert options == {"acme": {"uri": "a/b", "port": "7", "tags": ["a"]}}
    assert json.loads(json.dumps(options)) == options


def test_class_of_the_script_itself(good: Callable[..., None]) -> None:
    """A class instead of a name is checked in the same way."""
    from runcast.plugins import Backend, Capabilities, OpenRun, Options, Receipt, Ref

    class MineOptions(Options):
        """One option."""

        level: int = 1

    class Mine(Backend):
        """Exists only here."""

        name = "mine"
        Options = MineOptions
        capabilities = Capabilities()

        def open(self, run: OpenRun) -> Ref:
            """Unused."""
            return Ref(id="")

        def deliver(self, batch: Any) -> Receipt:
            """Unused."""
            return Receipt()

    assert preflight([Mine], config(mine={"level": 2})) == {"mine": {"level": 2}}
    with pytest.raises(ConfigError, match="no option `mine"):
        preflight([Mine], config(mine={"lvl": 2}))


def test_misspelt_table(good: Callable[..., None], project: Path) -> None:
    """A table one slip away from a backend is refused; one that resembles nothing is left for the doctor."""
    good("acme", "acme_table")
    (project / "runcast.toml").write_text("[wandbb]\nmode = 'offline'\n[colleague]\nx = 1\n")

    with pytest.raises(
        ConfigError, match=r"runcast.toml: there is no backend 'wandbb'; do you mean \[wandb\]\?"
    ):
        preflight(["acme"], load())


def test_verdict_is_remembered_without_secrets(good: Callable[..., None], tmp_path: Path) -> None:
    """Good options are kept as a hash, privately; options with a secret leave no trace at all."""
    good("acme", "acme_memory")
    base = cache.folder()
    assert base is not None

    preflight(["acme"], config(acme={"uri": "postgresql://u:hunter2hunter2@h/db"}))
    preflight(["acme"], config(acme={"pin": "4711"}))
    assert not (base / "preflight").exists()

    preflight(["acme"], config(acme={"uri": "some-plain-uri"}))
    (kept,) = (base / "preflight").iterdir()
    assert "some-plain-uri" not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_edited_backend_is_checked_again(good: Callable[..., None], tmp_path: Path) -> None:
    """A verdict does not outlive the source file that it was made with."""
    good("acme", "acme_edited")
    preflight(["acme"], config())
    source = tmp_path / "site" / "acme_edited.py"

    source.write_text(source.read_text() + "\n")
    checked: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_check_cold", lambda *given: checked.append(given) or {})
        preflight(["acme"], config())

    assert checked


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"stamps": []}', b'{"stamps": [], "good": 3, "environment": []}']
)
def test_damaged_memory_is_ignored(good: Callable[..., None], damage: bytes) -> None:
    """Whatever stands in the cache, the answer is the same."""
    good("acme", f"acme_damage_{abs(hash(damage))}")
    preflight(["acme"], config())
    base = cache.folder()
    assert base is not None
    for file in (base / "preflight").iterdir():
        file.write_bytes(damage)

    assert preflight(["acme"], config(acme={"port": 3})) == {"acme": {"port": 3}}


def test_cache_that_cannot_be_written(
    good: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cache folder, or a file in its place, costs time only."""
    good("acme", "acme_nowhere")
    (tmp_path / "file").write_text("")

    for place in (str(tmp_path / "file"), "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        monkeypatch.setenv("HOME", "")
        assert preflight(["acme"], config()) == {"acme": {}}


def test_public_options_hold_no_secret(good: Callable[..., None]) -> None:
    """What goes into the journal has passwords, secret fields and declared secrets masked."""
    good("acme", "acme_public")
    options = preflight(["acme"], config(acme={"uri": "https://u:hunter2@h", "pin": "4711", "port": 3}))[
        "acme"
    ]

    assert options["pin"] == "4711"
    assert public_options(options) == {"uri": f"https://u:{MASK}@h", "pin": MASK, "port": 3}


def test_warm_start_imports_neither_pydantic_nor_pluggy(good: Callable[..., None], tmp_path: Path) -> None:
    """The second process that starts the same run pays for no heavy import."""
    good("acme", "acme_warm")
    good("bcme", "acme_warm_two")
    code = (
        "import sys\n"
        "from runcast.config import load\nfrom runcast.config.preflight import preflight\n"
        "preflight(['acme', 'bcme'], load({'acme': {'port': 3}, 'bcme': {'uri': 'y'}}))\n"
        "heavy = {'pydantic', 'pluggy', 'asyncio', 'email', 'rich', 'typer', 'acme_warm'}\n"
        "print(sorted(set(sys.modules) & heavy))"
    )
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]),
    }

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
        )
        return done.stdout.strip()

    assert "pydantic" in run()
    assert run() == "[]"


def test_packages_are_looked_for_without_importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dotted module is found, or not, with no package on the way imported."""
    (tmp_path / "explosive").mkdir()
    (tmp_path / "explosive" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "explosive" / "inner.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "blocked", None)

    assert is_installed("explosive.inner")
    assert not is_installed("explosive.nothing")
    assert not is_installed("explosive.inner.more")
    assert not is_installed("blocked")
    assert not is_installed("")
    assert is_installed("json")

"""Plugins are found through entry points; a broken one is reported and harms nobody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast import entries
from runcast.errors import ConfigError
from runcast.plugins import manager

ROOT = Path(__file__).parents[2]

BACKEND = """
    from runcast.plugins import Backend, Capabilities, hookimpl
    class B(Backend):
        name = "NAME"
        capabilities = Capabilities()
        def open(self, run): ...
        def deliver(self, batch): ...
"""

BROKEN = {
    "importerror": ("import no_such_module_at_all", "No module named"),
    "systemexit": ("raise SystemExit(3)", "SystemExit: 3"),
    "generatorexit": ("raise GeneratorExit", "GeneratorExit"),
    "secretive": ("raise ValueError('https://u:hunter2@h')", "https://u:[redacted]@h"),
    "syntax": ("def", "SyntaxError"),
    "nohook": ("x = 1", "implements no hook"),
    "raising": (
        "from runcast.plugins import hookimpl\n@hookimpl\ndef runcast_backends(): raise SystemExit('bye')",
        "SystemExit: bye",
    ),
    "text": (
        "from runcast.plugins import hookimpl\n@hookimpl\ndef runcast_backends():\n    return 'B'",
        "must return a list of classes, not str",
    ),
    "none": (
        "from runcast.plugins import hookimpl\n@hookimpl\ndef runcast_backends():\n    pass",
        "must return a list of classes, not NoneType",
    ),
    "strange": (
        "from runcast.plugins import hookimpl\n@hookimpl\ndef runcast_backends():\n    return [3, int]",
        "int is no subclass",
    ),
    "argument": (
        "from runcast.plugins import hookimpl\n@hookimpl\ndef runcast_backends(nonsense):\n    return []",
        "PluginValidationError",
    ),
    "abstract": (
        "from runcast.plugins import Backend, hookimpl\nclass B(Backend):\n    name = 'abs'\n"
        "@hookimpl\ndef runcast_backends():\n    return [B]",
        "B lacks deliver, open",
    ),
    "nameless": (
        BACKEND.replace('name = "NAME"', "pass") + "@hookimpl\ndef runcast_backends(): return [B]",
        "B.name",
    ),
    "taboo": (
        BACKEND.replace("NAME", "dir") + "@hookimpl\ndef runcast_backends(): return [B]",
        "is a setting",
    ),
    "upper": (BACKEND.replace("NAME", "Up") + "@hookimpl\ndef runcast_backends(): return [B]", "lower-case"),
    "incapable": (
        BACKEND.replace("NAME", "inc").replace("capabilities = Capabilities()", "pass")
        + "@hookimpl\ndef runcast_backends(): return [B]",
        "B.capabilities",
    ),
    "optionless": (
        BACKEND.replace("NAME", "opt").replace("capabilities = ", "Options = dict; capabilities = ")
        + "@hookimpl\ndef runcast_backends(): return [B]",
        "B.Options",
    ),
    "thief": (
        BACKEND.replace("NAME", "mlflow") + "@hookimpl\ndef runcast_backends(): return [B]",
        "built in",
    ),
}


def _dedent(source: str) -> str:
    return "\n".join(
        line.removeprefix("    ") if source.startswith("\n    ") else line for line in source.split("\n")
    )


@pytest.mark.parametrize("case", BROKEN)
def test_broken_plugin_is_reported_and_harms_nobody(
    case: str, install: Callable[..., None], good: Callable[..., None]
) -> None:
    """Whatever a plugin does wrong stands in the report; the healthy one beside it works."""
    source, words = BROKEN[case]
    install(f"dist-bad-{case}", f"bad_{case}", _dedent(source).replace("\n@", "\n\n@"))
    good("acme", f"acme_{case}")

    reports = {plugin.module: plugin for plugin in manager.plugins()}

    bad = reports[f"bad_{case}"]
    assert bad.error is not None
    assert words in bad.error
    assert (bad.distribution, bad.version, bad.backends) == (f"dist-bad-{case}", "1.2", ())
    assert reports[f"acme_{case}"].error is None
    assert reports[f"acme_{case}"].backends == ("acme",)
    assert manager.backend_class("acme").name == "acme"


def test_good_backends_of_a_half_broken_plugin_work(install: Callable[..., None]) -> None:
    """One bad class among good ones costs only itself."""
    source = BACKEND.replace("NAME", "half") + "@hookimpl\ndef runcast_backends(): return (B, 3)"
    install("dist-half", "half_plugin", _dedent(source))

    report = next(plugin for plugin in manager.plugins() if plugin.module == "half_plugin")

    assert report.backends == ("half",)
    assert "int is no subclass" in str(report.error)


def test_two_plugins_of_one_name(good: Callable[..., None]) -> None:
    """The first by distribution keeps the name, the other is told who has it."""
    good("twin", "twin_a")
    good("twin", "twin_b")

    reports = {plugin.module: plugin for plugin in manager.plugins()}

    assert reports["twin_a"].error is None
    assert "taken by dist-twin-a" in str(reports["twin_b"].error)
    assert manager.backend_class("twin").__module__ == "twin_a"


def test_entry_point_may_have_another_name(install: Callable[..., None]) -> None:
    """A backend is found by its own name, whatever its entry point is called."""
    source = BACKEND.replace("NAME", "inner") + "@hookimpl\ndef runcast_backends(): return [B]"
    install("dist-other", "other_plugin", _dedent(source), "outer")

    assert manager.backend_class("inner").name == "inner"


def test_unknown_backend_names_the_closest(good: Callable[..., None]) -> None:
    """A slip is answered with the name that was meant, and with how to find more."""
    good("acme", "acme_close")

    with pytest.raises(ConfigError, match=r"no backend 'acmee'; do you mean 'acme'\?.*runcast plugins"):
        manager.backend_class("acmee")


def test_broken_backend_says_why(install: Callable[..., None]) -> None:
    """Asking for a backend whose plugin is broken gives the plugin's error, not "unknown"."""
    install("dist-sad", "sad_plugin", "raise RuntimeError('sad')", "sad")

    with pytest.raises(ConfigError, match=r"plugin \(dist-sad 1.2\) is broken: RuntimeError: sad"):
        manager.backend_class("sad")


def test_third_party_plugins_can_be_restricted(
    good: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``RUNCAST_PLUGINS`` names those that load; empty means the built-in ones alone."""
    good("acme", "acme_one")
    good("bcme", "acme_two")

    monkeypatch.setenv("RUNCAST_PLUGINS", "")
    assert [entry.name for entry in entries.entries()] == list(entries.BUILTIN)
    monkeypatch.setenv("RUNCAST_PLUGINS", "acme, dist-nothing")
    assert [entry.name for entry in entries.entries()] == [*entries.BUILTIN, "acme"]
    monkeypatch.setenv("RUNCAST_PLUGINS", "dist-acme-two")
    assert [entry.name for entry in entries.entries()] == [*entries.BUILTIN, "bcme"]


def test_ctrl_c_is_not_swallowed(install: Callable[..., None]) -> None:
    """A person's Ctrl-C while plugins load stops the program."""
    install("dist-ctrl", "ctrl_plugin", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        manager.plugins()


def test_built_in_plugins_are_those_of_the_package() -> None:
    """The table that works from a source tree says the same as the package's entry points."""
    section = (ROOT / "pyproject.toml").read_text().partition("[project.entry-points.runcast]\n")[2]

    declared = dict(re.findall(r'^(\w+) = "([\w.]+)"$', section.partition("\n\n")[0], re.M))

    assert declared == entries.BUILTIN


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item for each time that the installed packages were read."""
    seen: list[int] = []
    real = entries._scan

    def scan() -> Any:
        seen.append(1)
        return real()

    monkeypatch.setattr(entries, "_scan", scan)
    return seen


def test_scan_is_remembered(good: Callable[..., None], scans: list[int], tmp_path: Path) -> None:
    """A second look reads no installed package, also when other files came into the folder."""
    good("acme", "acme_scan")
    first = entries.entries()
    (tmp_path / "site" / "checkpoint.bin").write_text("")

    assert entries.entries() == first
    assert len(scans) == 1


def test_new_gone_and_reinstalled_plugins_are_noticed(
    good: Callable[..., None], scans: list[int], tmp_path: Path
) -> None:
    """Whatever pip does is seen at once: a new package, a removed one, the same one again, an edited file."""
    good("acme", "acme_old")
    entries.entries()
    site = tmp_path / "site"

    good("bcme", "acme_new")
    names = [entry.name for entry in entries.entries()]
    assert [name for name in names if name in ("acme", "bcme")] == [
        "bcme",
        "acme",
    ]  # beside what is installed
    info = site / "dist_acme_old-1.2.dist-info"
    (info / "entry_points.txt").write_text("[runcast]\nedited = acme_old\n")
    assert "edited" in [entry.name for entry in entries.entries()]
    info.rename(site / "elsewhere")
    assert "edited" not in [entry.name for entry in entries.entries()]
    (site / "elsewhere").rename(info)
    assert "edited" in [entry.name for entry in entries.entries()]
    assert len(scans) >= 4


def test_settled_folder_is_not_even_listed(
    good: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder whose time did not change for a while is trusted without a look inside."""
    good("acme", "acme_settled")
    os.utime(tmp_path / "site", (1_700_000_000, 1_700_000_000))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    first = entries.entries()
    monkeypatch.setattr(entries, "_metadata", lambda path: pytest.fail(f"listed {path}"))

    assert entries.entries() == first


def test_damaged_installations_are_stepped_over(
    good: Callable[..., None], install: Callable[..., None], tmp_path: Path
) -> None:
    """Somebody else's broken metadata does not hide the plugins."""
    good("acme", "acme_beside")
    install("dist-hurt", "hurt_plugin", "")
    (tmp_path / "site" / "dist_hurt-1.2.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe\x00[broken")

    assert "acme" in [entry.name for entry in entries.entries()]


def test_finding_plugins_imports_none_of_them() -> None:
    """The list of plugins is made without pluggy, pydantic or any plugin."""
    code = (
        "import sys; from runcast.entries import entries; entries();"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('pluggy', 'pydantic', 'mlflow', 'wandb')"
        " or m.startswith('runcast.backends')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

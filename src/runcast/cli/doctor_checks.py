"""What ``runcast doctor`` looks at; nothing here raises, prints, or shows a secret."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runcast.cli.doctor_backends import backend_lines, backend_values, table_lines
from runcast.cli.doctor_lines import Line, Value, show
from runcast.config import Config, Settings, load
from runcast.config.settings import TABLES
from runcast.errors import ConfigError

__all__ = ["Line", "Value", "examine"]

_PACKAGES = (
    "msgspec", "pydantic", "pluggy", "typer", "rich", "mlflow", "mlflow-skinny", "wandb", "tensorboard",
    "numpy", "torch",
)  # fmt: skip
_LITTLE = 1 << 30  # bytes of free disk under which a long training is at risk
_PRIVATE = 0o077


def examine(everything: bool, timeout: float) -> tuple[list[Value], list[Line]]:
    """Every setting with its origin, and every finding.

    Args:
        everything: also backends that are installed and not configured.
        timeout: seconds that one backend's own examination may take.
    """
    lines = [*_python(), *_packages()]
    try:
        config = load()
    except ConfigError as error:
        lines.append(
            Line(section="config", ok=False, what=str(error), mend="correct it; the rest uses defaults")
        )
        config = Config(settings=Settings(), base=Path(os.environ.get("PWD", "/")))
    lines += [*_configuration(config), *_plugins(), *_surroundings(config), *_folder(config), *_clock()]
    values = list(_values(config))
    for name, configured in _backends(config, everything):
        lines += backend_lines(name, configured, config, timeout)
        values += backend_values(name, config)
    looked_at = {name for name, _ in _backends(config, everything)}
    for name in _unused_tables(config, looked_at):
        lines += table_lines(name, config)
        values += backend_values(name, config)
    return values, [line.clean() for line in lines]


def _python() -> Iterator[Line]:
    import runcast

    what = f"Python {platform.python_version()} at {sys.executable}, runcast {runcast.__version__}"
    yield Line(section="python", ok=sys.version_info >= (3, 10), what=what, mend="")


def _packages() -> Iterator[Line]:
    from importlib.metadata import PackageNotFoundError, version

    present, absent = [], []
    for name in _PACKAGES:
        try:
            present.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    yield Line(section="packages", ok=True, what=", ".join(present))
    if absent:
        yield Line(section="packages", ok=True, what=f"not installed: {', '.join(absent)}")


def _configuration(config: Config) -> Iterator[Line]:
    for file in config.files:
        yield Line(section="config", ok=True, what=f"read {file}")
    for name in config.ignored:
        yield Line(
            section="config",
            ok=False,
            what=f"nothing knows {name}",
            mend=f"unset {name}, or correct its name",
        )
    from runcast.plugins.manager import backend_names

    known = set(backend_names())
    strangers = [name for name in sorted(config.options) if name not in known]
    strangers += [f"routes.{name}" for name in sorted(config.settings.routes) if name not in known]
    for table in strangers:
        mend = (
            f"install the plugin that brings {table}, or remove the table; unless a script brings it itself"
        )
        yield Line(section="config", ok=False, what=f"[{table}] belongs to no installed backend", mend=mend)


def _values(config: Config) -> Iterator[Value]:
    for key, value in msgspec.to_builtins(config.settings).items():
        if key in TABLES:
            for inner, word in value.items():
                dotted = f"{key}.{inner}"
                yield Value(
                    key=dotted, value=show(dotted, word), origin=config.origins.get(dotted, "default")
                )
        else:
            yield Value(key=key, value=show(key, value), origin=config.origins.get(key, "default"))


def _surroundings(config: Config) -> Iterator[Line]:
    """What the courier cannot see for want of a package."""
    from runcast.system import energy, is_available

    if config.settings.system_interval and not is_available():
        what = "system metrics are not recorded: psutil is not installed"
        yield Line(section="system", ok=True, what=what, mend="pip install 'runcast[system]'")
    if config.settings.energy and not energy.is_available():
        what = "`energy` is set, and codecarbon is not installed"
        yield Line(section="system", ok=False, what=what, mend="pip install 'runcast[energy]'")


def _plugins() -> Iterator[Line]:
    from runcast.plugins.manager import plugins

    for plugin in plugins():
        if plugin.error:
            what = f"{plugin.name} of {plugin.distribution} {plugin.version}: {plugin.error}"
            mend = f"pip install --upgrade {plugin.distribution}, or uninstall it"
            yield Line(section="plugins", ok=False, what=what, mend=mend)
        else:
            yield Line(section="plugins", ok=True, what=f"{plugin.name}: {', '.join(plugin.backends)}")


def _backends(config: Config, everything: bool) -> list[tuple[str, bool]]:
    """(Name, whether it is configured), the configured ones first."""
    from runcast.plugins.manager import backend_names

    configured = list(config.settings.backends) or ["local"]
    others = [name for name in backend_names() if name not in configured] if everything else []
    return [(name, True) for name in configured] + [(name, False) for name in others]


def _unused_tables(config: Config, looked_at: set[str]) -> list[str]:
    """Installed backends that are described in the settings and not chosen."""
    from runcast.plugins.manager import backend_names

    return [name for name in backend_names() if name in config.options and name not in looked_at]


def _folder(config: Config) -> Iterator[Line]:
    folder = config.dir
    standing = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), Path("/"))
    yield _writable(folder, standing)
    if standing == folder and folder.is_dir():
        mode = stat.S_IMODE(folder.stat().st_mode)
        yield Line(
            section="folder",
            ok=not mode & _PRIVATE,
            what=f"{folder} is open to others (mode {mode:o})" if mode & _PRIVATE else f"{folder} is private",
            mend=f"chmod 700 {folder}" if mode & _PRIVATE else "",
        )
    try:
        free = shutil.disk_usage(standing).free
    except OSError:
        return
    yield Line(
        section="folder",
        ok=free >= _LITTLE,
        what=f"{free / (1 << 30):.1f} GiB free at {standing}",
        mend="" if free >= _LITTLE else "make room, or set another folder with `dir` or RUNCAST_DIR",
    )


def _writable(folder: Path, standing: Path) -> Line:
    mend = f"give yourself the right to write to {standing}, or set another folder with `dir` or RUNCAST_DIR"
    try:
        # Trying is the only true test: quotas and read-only mounts do not show in the mode.
        with tempfile.TemporaryFile(dir=standing) as file:
            file.write(b"x")
    except OSError as error:
        what = f"{folder} cannot be written: {error.strerror}"
        return Line(section="folder", ok=False, what=what, mend=mend)
    return Line(
        section="folder",
        ok=True,
        what=f"{folder} {'can be written' if standing == folder else 'can be made'}",
    )


def _clock() -> Iterator[Line]:
    year = time.gmtime().tm_year
    ok = 2025 <= year < 2100
    mend = "" if ok else "set the clock (timedatectl set-ntp true); trackers order by time"
    yield Line(section="clock", ok=ok, what=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), mend=mend)

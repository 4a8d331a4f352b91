"""Configuration files: where they are looked for, and what they hold."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcast.errors import ConfigError
from runcast.redact import redact_text

PROJECT_FILE = "runcast.toml"
_MAX_SIZE = 1 << 20  # bytes; a configuration file beyond that is something else


def find_project(start: Path) -> tuple[Path, dict[str, Any]] | None:
    """The nearest project file at or above `start`, and what it says to runcast.

    In one folder ``runcast.toml`` goes before ``[tool.runcast]`` in ``pyproject.toml``. The walk ends
    at the first folder that has either, at the root of a Git repository, or at ``/``.

    Raises:
        ConfigError: a file is there and cannot be understood.
    """
    for folder in (start, *start.parents):
        tree = read(folder / PROJECT_FILE)
        if tree is not None:
            return folder / PROJECT_FILE, tree
        tree = _read_pyproject(folder / "pyproject.toml")
        if tree is not None:
            return folder / "pyproject.toml", tree
        if os.path.lexists(folder / ".git"):
            return None
    return None


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Where the user's own settings are; None where there is no home."""
    for folder in (Path(environ.get("XDG_CONFIG_HOME", "")), Path(environ.get("HOME", ""), ".config")):
        if folder.is_absolute():
            return folder / "runcast" / "config.toml"
    return None


def read(path: Path) -> dict[str, Any] | None:
    """The file as a tree; None where there is none.

    Raises:
        ConfigError: it cannot be read, decoded or parsed; with the line where that is known.
    """
    raw = _bytes(path)
    return None if raw is None else _parse(path, raw)


def _read_pyproject(path: Path) -> dict[str, Any] | None:
    raw = _bytes(path)
    if raw is None or b"runcast" not in raw:
        return None
    tool = _parse(path, raw).get("tool", {})
    section = tool.get("runcast") if isinstance(tool, dict) else None
    if section is None or isinstance(section, dict):
        return section
    raise ConfigError(f"{path}: [tool.runcast] must be a table")


def _bytes(path: Path) -> bytes | None:
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read ({reason}); make it readable or remove it") from None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise ConfigError(f"{path}: is no ordinary file; remove it or put a TOML file there")
        if info.st_size > _MAX_SIZE:
            raise ConfigError(f"{path}: is larger than 1 MiB; that is no configuration file")
        return os.read(descriptor, _MAX_SIZE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    finally:
        os.close(descriptor)


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    # Late, because a project without a file does not need it.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return dict(tomllib.loads(raw.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is no valid TOML: {redact_text(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply; flatten it") from None

"""What is installed, exactly, without asking ``pip``."""

from __future__ import annotations

import functools
import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

from runcast.capture.git import without_user


def installed() -> tuple[dict[str, str], bytes]:
    """Name → version of every package on the path, and the same as a ``requirements.txt``.

    A package that was installed from a repository is written with its commit, see
    https://packaging.python.org/en/latest/specifications/direct-url/.
    """
    return _installed(tuple((place, _changed(place)) for place in sys.path))


def _changed(place: str) -> int:
    """When a folder of the path got or lost a package last."""
    try:
        return Path(place).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@functools.lru_cache(maxsize=1)  # a search with many runs in one process asks for each of them
def _installed(path: tuple[tuple[str, int], ...]) -> tuple[dict[str, str], bytes]:
    versions: dict[str, str] = {}
    lines: dict[str, str] = {}
    for package in distributions():
        name, version = _known_as(package)
        if not name or not version:
            continue
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key not in versions:  # the first on the path is the one that is imported
            versions[key] = version
            lines[key] = _line(name, version, package)
    ordered = dict(sorted(versions.items()))
    return ordered, "".join(f"{lines[name]}\n" for name in ordered).encode()


def _known_as(package: Distribution) -> tuple[str, str]:
    try:
        return package.metadata["Name"], package.version
    except Exception:  # half removed, or damaged: importlib raises what it likes
        return "", ""


def _line(name: str, version: str, package: Distribution) -> str:
    try:
        origin = json.loads(package.read_text("direct_url.json") or "{}")
        about = origin.get("vcs_info")
        if about:
            return f"{name} @ {about['vcs']}+{without_user(origin['url'])}@{about['commit_id']}"
        if "dir_info" in origin:
            return f"# {name}=={version}, from a folder of that machine"
    except Exception:  # no such file in an archive, or not what the specification says
        return f"{name}=={version}"
    return f"{name}=={version}"

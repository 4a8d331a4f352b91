"""Whether a package is installed, without importing it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from importlib.util import find_spec


def missing_packages(requires: Mapping[str, str]) -> dict[str, str]:
    """Those of `requires` (module → what ``pip install`` needs) that cannot be found."""
    return {module: package for module, package in requires.items() if not is_installed(module)}


def is_installed(module: str) -> bool:
    """Whether `module`, which may be dotted, could be imported; nothing is imported to find out."""
    if module in sys.modules:
        return sys.modules[module] is not None
    top, *below = module.split(".")
    try:
        spec = find_spec(top)
        # find_spec of a dotted name would import the parents.
        for depth in range(len(below)):
            if spec is None or spec.submodule_search_locations is None:
                return False
            name = ".".join([top, *below[: depth + 1]])
            spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    except (ImportError, ValueError, AttributeError):
        return False
    return spec is not None

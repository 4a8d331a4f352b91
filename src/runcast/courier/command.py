"""How runcast starts processes of its own."""

from __future__ import annotations

import sys


def python(module: str, *arguments: str) -> list[str]:
    """Command line that calls ``main`` of one of our modules.

    The current folder is taken off the path: a user's ``wandb.py`` must not stand in for the package.
    """
    code = f"import sys; sys.path[:] = filter(None, sys.path); from {module} import main; main()"
    return [sys.executable, "-c", code, *arguments]

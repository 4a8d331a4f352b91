"""How runcast starts processes of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def interpreter() -> str | None:
    """The Python to start, or None: an application that embeds or freezes Python would start itself."""
    if getattr(sys, "frozen", False) or not sys.executable or not os.access(sys.executable, os.X_OK):
        return None
    return sys.executable


def python(module: str, *arguments: str) -> list[str]:
    """Command line that calls ``main`` of one of our modules, with the packages that this process sees.

    Neither the current folder nor the script's is on its path: a user's ``wandb.py`` must not stand in for
    the package. Folders that were put on the path since this process began come last.
    """
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = str(Path(script).absolute().parent) if script else None
    path = [part for part in sys.path if Path(part).is_absolute() and part != folder]
    path.append(str(Path(__file__).absolute().parents[2]))
    code = (
        "import sys; sys.path[:] = filter(None, sys.path); "
        f"sys.path += [part for part in {path!r} if part not in sys.path]; "
        f"from {module} import main; main()"
    )
    return [interpreter() or "python3", *_flags(), "-c", code, *arguments]


def _flags() -> list[str]:
    """What keeps a user's environment out of this process must keep it out of ours."""
    if sys.flags.isolated:
        return ["-I"]
    flags = {"-E": sys.flags.ignore_environment, "-s": sys.flags.no_user_site, "-S": sys.flags.no_site}
    return [flag for flag, is_set in flags.items() if is_set]

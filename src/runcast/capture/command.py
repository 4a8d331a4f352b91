"""How the script was called."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from runcast.redact import redact_tree

_MOST = 1000
"""Arguments that are kept."""
_LONGEST = 10_000
"""Characters of one argument that are kept."""


def line() -> dict[str, Any]:
    """Script, arguments and folder, with secrets masked."""
    import shlex  # for the start alone

    argv = [_short(argument) for argument in list(getattr(sys, "argv", []))[:_MOST]]
    full = [_short(argument) for argument in list(getattr(sys, "orig_argv", argv))[:_MOST]]
    masked = redact_tree({"argv": argv, "full": full})[0]
    found = {
        "line": shlex.join(masked["full"]),
        "script": script(),
        "args": masked["argv"][1:],
        "folder": "",
    }
    with contextlib.suppress(OSError):
        found["folder"] = os.getcwd()  # noqa: PTH109  # text is wanted
    return found


def script() -> str:
    """The file that was started, or "" for a notebook, a prompt and ``-c``."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return path if isinstance(path, str) else ""


def interpreter() -> dict[str, Any]:
    """Which Python."""
    return {
        "version": "{}.{}.{}".format(*sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "executable": sys.executable or "",
    }


def _short(argument: object) -> str:
    text = str(argument)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

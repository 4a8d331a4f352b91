"""What differs from the commit, as ``git`` tells it."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from typing import Any

from runcast.redact import redact_text

LARGEST = 5 << 20
"""Bytes of a diff that are kept; a larger one is left out, because half a patch is worth nothing."""
PATIENCE = 30.0
"""Seconds for all of ``git``."""
_MOST_NAMES = 100


def changes(about: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What differs from the commit, and the patch that says it; nothing where ``git`` is missing or fails.

    Args:
        about: from `head`.

    Returns:
        ``dirty``, ``untracked`` (names), and ``diff`` (why the patch is no exact one); the patch.
    """
    root, commit = str(about.get("root", "")), str(about.get("commit", ""))
    deadline = time.monotonic() + PATIENCE
    status = _git(root, deadline, "status", "--porcelain", "-z", "--ignore-submodules=dirty")
    if status is None:
        return {}, b""
    entries = [entry for entry in status.decode("utf-8", "replace").split("\0") if entry]
    untracked = [redact_text(entry[3:]) for entry in entries if entry.startswith("?? ")]
    # As ``git describe --dirty`` has it: what runs leave behind makes no other code of it.
    found: dict[str, Any] = {"dirty": len(untracked) < len(entries)}
    if untracked:
        found["untracked"] = untracked[:_MOST_NAMES]
    if not commit or not found["dirty"]:
        return found, b""
    flags = ("--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short", "--ignore-submodules=dirty")
    patch = _git(root, deadline, "diff", *flags, commit, "--")
    if patch is None:
        found["diff"] = (
            f"left out: it took longer than {PATIENCE:g} s, or was larger than {LARGEST >> 20} MiB"
        )
        return found, b""
    text = patch.decode("utf-8", "surrogateescape")
    masked = redact_text(text)
    if masked != text:
        found["diff"] = "secrets in it are masked"
    return found, masked.encode("utf-8", "surrogateescape")


def _git(root: str, deadline: float, *arguments: str) -> bytes | None:
    """What ``git`` printed; None where it failed, took too long or said too much."""
    # Neither locks nor programs that the repository's configuration names: we only look.
    command = ["git", "-C", root, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_EXTERNAL_DIFF", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=max(0.1, deadline - time.monotonic()),
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode or output.seek(0, os.SEEK_END) > LARGEST:
            return None
        output.seek(0)
        return output.read()

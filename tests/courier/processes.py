"""Scripts as processes of their own, and waiting for what they do."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

from runcast.journal import Layout


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll a condition; fails loudly when it does not come true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def script(fake: Any, body: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a training script of its own to its end; `config` holds its configuration."""
    head = f"import os, sys, time, signal, runcast\nconfig = {fake.config(**settings)!r}\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        cwd=fake.root,
        timeout=60,
    )


def couriers(fake: Any) -> list[str]:
    """The courier's processes that work in this test's folder."""
    return [line for line in listed() if "runcast.courier" in line and str(fake.root) in line]


def listed() -> list[str]:
    """Pid and command line of every process."""
    listing = subprocess.run(["ps", "-wweo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return listing.splitlines()[1:]


def layout_of(fake: Any) -> Layout:
    return Layout(fake.root / "rc")

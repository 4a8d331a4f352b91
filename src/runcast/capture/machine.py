"""The machine: operating system, processor, memory, host and user."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """``os``, ``cpu``, ``memory``, ``host`` and ``user``; what cannot be told is left out."""
    system = os.uname()
    found: dict[str, Any] = {
        "os": {"system": system.sysname, "release": system.release, "machine": system.machine},
        "cpu": _cpu(),
        "host": system.nodename,
    }
    with contextlib.suppress(OSError):
        found["os"]["distribution"] = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    with contextlib.suppress(OSError, ValueError):
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        found["memory"] = {"total_bytes": pages * size}
    with contextlib.suppress(OSError, KeyError, ImportError):  # no such user in a bare container
        found["user"] = getpass.getuser()
    return found


def _cpu() -> dict[str, Any]:
    found: dict[str, Any] = {"threads": os.cpu_count() or 0}
    with contextlib.suppress(OSError, AttributeError):
        found["usable_threads"] = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                found["model"] = value.strip()
                break
    return found

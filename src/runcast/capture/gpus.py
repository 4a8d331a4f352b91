"""NVIDIA's devices: by NVML where its bindings are installed, else by ``nvidia-smi``."""

from __future__ import annotations

import csv
import functools
import subprocess
from collections.abc import Mapping
from typing import Any

from runcast.system.nvml import Nvml

_FIELDS = ("name", "uuid", "memory.total", "driver_version")
_PATIENCE = 10.0  # seconds; a driver that is just loaded takes some


def describe(environ: Mapping[str, str]) -> dict[str, Any]:
    """``gpus`` (each ``name``, ``uuid``, ``memory_bytes``), and ``cuda`` where there are any."""
    found: dict[str, Any] = {"gpus": [], **_look()}
    if "cuda" in found and "CUDA_VISIBLE_DEVICES" in environ:
        found["cuda"] = {**found["cuda"], "visible": environ["CUDA_VISIBLE_DEVICES"]}
    return found


@functools.cache
def _look() -> dict[str, Any]:
    """Once for all runs of a process: devices stay."""
    return _by_nvml() or _by_program()


def _by_nvml() -> dict[str, Any]:
    nvml = Nvml.load()
    if nvml is None:
        return {}
    try:
        return {"gpus": nvml.devices(), "cuda": nvml.versions()} if nvml.count else {}
    finally:
        nvml.close()


def _by_program() -> dict[str, Any]:
    command = ["nvidia-smi", f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
        rows = [[cell.strip() for cell in row] for row in csv.reader(done.stdout.splitlines()) if row]
        gpus = [_device(*row) for row in rows]
    except (OSError, subprocess.SubprocessError, TypeError, ValueError):
        return {}
    return {"gpus": gpus, "cuda": {"driver": rows[0][3]}} if gpus else {}


def _device(name: str, uuid: str, memory: str, driver: str) -> dict[str, Any]:
    """One row; a device that shares the machine's memory has ``[N/A]`` there."""
    known = {"memory_bytes": int(memory) << 20} if memory.isdecimal() else {}
    return {"name": name, "uuid": uuid, **known}

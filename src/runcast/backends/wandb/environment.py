"""What a run ran in, where W&B keeps it: its metadata file, ``requirements.txt``, ``diff.patch``.

Names of the values: ``docs/capture.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runcast.backends.wandb import spelling
from runcast.formats import wandb_log
from runcast.records import Environment, RunStarted, System

OWN_FILES = ("requirements.txt", "diff.patch")
"""Files that W&B looks for at the top of ``files/``; others go below `OTHER_FILES`."""
OTHER_FILES = "runcast/environment"
_MIB = 1 << 20
_STATS = {
    "cpu/percent": ("cpu", 1), "memory/percent": ("memory_percent", 1),
    "process/memory_bytes": ("proc.memory.rssMB", _MIB), "process/threads": ("proc.cpu.threads", 1),
    "disk/read_bytes": ("disk.in", _MIB), "disk/written_bytes": ("disk.out", _MIB),
    "network/sent_bytes": ("network.sent", 1), "network/received_bytes": ("network.recv", 1),
}  # fmt: skip
_GPU = {
    "percent": "gpu", "memory_percent": "memoryAllocated", "memory_bytes": "memoryAllocatedBytes",
    "celsius": "temp", "watts": "powerWatts",
}  # fmt: skip
_GPU_KEY = re.compile(r"gpu/(\d+)/(\w+)")


def stats(record: System) -> wandb_log.Stats:
    """A look at the machine under W&B's names; what W&B has no name for keeps its own."""
    values = dict(_stat(name, value) for name, value in record.values.items() if is_shown(value))
    return wandb_log.Stats(time_ns=record.time, values=values)


def is_shown(value: float) -> bool:
    """Whether W&B takes a number."""
    return value - value == 0


def _stat(name: str, value: float) -> tuple[str, Any]:
    if name in _STATS:
        shown, unit = _STATS[name]
        return shown, value if unit == 1 else value / unit
    found = _GPU_KEY.fullmatch(name)
    if found and found[2] in _GPU:
        return f"gpu.{found[1]}.{_GPU[found[2]]}", value
    return spelling.key(name), value


def metadata(record: Environment, started: RunStarted) -> wandb_log.Environment:
    """W&B's own record of the surroundings; values of another form than expected are left out."""
    values = record.values
    command, python, git = (_dict(values.get(name)) for name in ("command", "python", "git"))
    system, cpu, cuda = (_dict(values.get(name)) for name in ("os", "cpu", "cuda"))
    found = values.get("gpus")
    gpus = [_dict(gpu) for gpu in found] if isinstance(found, list) else []
    args = command.get("args")
    return wandb_log.Environment(
        os="-".join(_words(system, "system", "release", "machine")),
        python=" ".join(_words(python, "implementation", "version")),
        started_ns=started.time,
        args=[spelling.prose(str(arg)) for arg in args] if isinstance(args, list) else [],
        program=_text(command, "script"),
        git_remote=_text(git, "remote"),
        git_commit=_text(git, "commit"),
        root=_text(command, "folder"),
        host=spelling.prose(str(values.get("host") or started.host or "")),
        username=spelling.prose(str(values.get("user") or started.user or "")),
        executable=_text(python, "executable"),
        cpu_count=_count(cpu, "usable_threads") or _count(cpu, "threads"),
        cpu_count_logical=_count(cpu, "threads"),
        gpu_type=_text(gpus[0], "name") if gpus else "",
        memory=_count(_dict(values.get("memory")), "total_bytes"),
        gpus=[wandb_log.Gpu(name=_text(g, "name"), memory=_count(g, "memory_bytes")) for g in gpus],
        cuda_version=_text(cuda, "version"),
        writer_id=spelling.prose(record.writer),
    )


def requirements(values: dict[str, Any]) -> bytes | None:
    """``requirements.txt`` from the names and versions of the packages, where they are known."""
    packages = _dict(values.get("packages"))
    lines = [f"{name}=={version}\n" for name, version in sorted(packages.items())]
    return "".join(lines).encode("utf-8", "backslashreplace") if lines else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return spelling.prose(value) if isinstance(value, str) else ""


def _words(values: dict[str, Any], *names: str) -> Iterator[str]:
    return (word for name in names if (word := _text(values, name)))


def _count(values: dict[str, Any], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and 0 <= value < 1 << 63 else 0

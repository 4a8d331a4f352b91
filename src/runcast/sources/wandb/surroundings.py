"""What a run ran in, from W&B's records, under the names of ``docs/capture.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runcast.formats import wandb_log


def of_log(entry: wandb_log.Environment) -> dict[str, Any]:
    """From the log's own record."""
    gpus = [_some(name=gpu.name, memory_bytes=gpu.memory) for gpu in entry.gpus]
    return _made(
        entry.os, entry.python, entry.executable, entry.program, entry.args, entry.root, entry.git_remote,
        entry.git_commit, entry.host, entry.username, entry.cpu_count_logical, entry.cpu_count, entry.memory,
        gpus, entry.cuda_version,
    )  # fmt: skip


def of_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """From ``wandb-metadata.json``, which W&B's client makes of the same record."""
    git, memory = _dict(values.get("git")), _dict(values.get("memory"))
    found = values.get("gpu_nvidia") or values.get("gpuNvidia") or []
    gpus = [
        _some(name=gpu.get("name"), memory_bytes=_int(gpu.get("memoryTotal")))
        for gpu in (found if isinstance(found, list) else [])
        if isinstance(gpu, dict)
    ]
    args = values.get("args")
    return _made(
        _text(values, "os"), _text(values, "python"), _text(values, "executable"), _text(values, "program"),
        args if isinstance(args, list) else [], _text(values, "root"), _text(git, "remote"),
        _text(git, "commit"), _text(values, "host"), _text(values, "username"),
        _int(values.get("cpu_count_logical")), _int(values.get("cpu_count")), _int(memory.get("total")),
        gpus, _text(values, "cudaVersion"),
    )  # fmt: skip


def _made(
    system: str, python: str, executable: str, program: str, args: list[str], root: str, remote: str,
    commit: str, host: str, user: str, threads: int, usable: int, memory: int, gpus: list[Any], cuda: str,
) -> dict[str, Any]:  # fmt: skip
    implementation, _, version = python.rpartition(" ")
    return _some(
        command=_some(script=program, args=list(args), folder=root),
        python=_some(version=version, implementation=implementation, executable=executable),
        git=_some(remote=remote, commit=commit),
        os=_some(system=system),
        cpu=_some(threads=threads, usable_threads=usable),
        memory=_some(total_bytes=memory),
        host=host,
        user=user,
        gpus=gpus,
        cuda=_some(version=cuda),
    )


def _some(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", 0, None, {}, [])}


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0

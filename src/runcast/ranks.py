"""Which process of a distributed job is this, and what do they call their common run?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_RANK = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_WORLD = ("WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def rank(environ: Mapping[str, str] = os.environ) -> int:
    """Rank of this process among the ranks of its job; 0 where it is alone."""
    return _first(environ, _RANK, 0) if world_size(environ) > 1 else 0


def world_size(environ: Mapping[str, str] = os.environ) -> int:
    """Number of ranks of the job; 1 where it is none."""
    return max(1, _first(environ, _WORLD, 1))


def common_run_id(ordinal: int, environ: Mapping[str, str] = os.environ) -> str:
    """The id that every rank gives to the run that it starts as number `ordinal` (from 0).

    Ranks cannot speak with each other here, so the id is drawn from what the launcher told them all:
    ``RUNCAST_RUN_ID``, the SLURM step, torchrun's run id, or else the launcher's process itself.
    """
    torchrun = environ.get("TORCHELASTIC_RUN_ID", "none")
    if explicit := environ.get("RUNCAST_RUN_ID"):
        job = f"runcast {explicit}"
    elif "SLURM_JOB_ID" in environ:
        job = f"slurm {environ['SLURM_JOB_ID']} {environ.get('SLURM_STEP_ID', '')}"
    elif torchrun != "none":
        job = f"torchrun {torchrun} {environ.get('MASTER_PORT', '')}"
    else:
        job = f"process {os.getppid()} {_started(os.getppid())}"
    restart = environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    import hashlib  # OpenSSL: 2 ms that a script of one process need not pay

    return hashlib.sha256(f"{job} {restart} {ordinal}".encode()).hexdigest()[:16]


def _first(environ: Mapping[str, str], names: tuple[str, ...], default: int) -> int:
    for name in names:
        if name.startswith("SLURM_") and "SLURM_STEP_ID" not in environ:
            continue  # a batch script, not started by srun: it is alone, however big its allocation
        value = environ.get(name, "")
        if value.isdigit():
            return int(value)
    return default


def _started(pid: int) -> str:
    """When a process began, in clock ticks since boot: tells it from a later one with the same pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""

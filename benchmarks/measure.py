"""Timing helpers and the table."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec


class Row(msgspec.Struct):
    """One line of the table: what was measured, the figure, and the bar that it is held to."""

    what: str
    figure: str
    bar: str = ""
    ok: bool | None = None


def medians(
    calls: dict[str, Callable[[int], Any]], count: int, block: int = 100
) -> dict[str, tuple[float, float]]:
    """Median and 99th percentile of each call in µs; the calls take turns, block by block."""
    times: dict[str, list[int]] = {name: [] for name in calls}
    clock = time.perf_counter_ns
    for start in range(0, count, block):
        for name, call in calls.items():
            for index in range(start, start + block):
                began = clock()
                call(index)
                times[name].append(clock() - began)
    return {
        name: (statistics.median(all_) / 1e3, statistics.quantiles(all_, n=100)[98] / 1e3)
        for name, all_ in times.items()
    }


def isolated(function: str, *arguments: Any, folder: str | None = None, **environment: str) -> Any:
    """Call ``module:function`` in a fresh interpreter; gives its JSON result.

    It runs in `folder`, or in a fresh one that is removed afterwards.
    """
    if folder is None:
        # A courier may still be writing there.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as fresh:
            return isolated(function, *arguments, folder=fresh, **environment)
    Path(folder).mkdir(exist_ok=True)
    module, _, name = function.partition(":")
    code = (
        f"import json, sys; from {module} import {name};"
        f"result = {name}(*json.loads(sys.argv[1])); print('\\nRESULT ' + json.dumps(result), flush=True)"
    )
    root = str(Path(__file__).resolve().parent.parent)
    env = {
        **os.environ,
        "PYTHONPATH": root,
        "HOME": folder,
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", f"{folder}/.cache"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **environment,
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed packages are: compiled
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{function} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.rpartition("RESULT ")[2])


def cpu(function: str, *arguments: Any, folder: str | None = None, **environment: str) -> float:
    """CPU seconds of `isolated`, of its interpreter's start and of every process that it waited for.

    Other work on the machine stretches them less than the clock.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    isolated(function, *arguments, folder=folder, **environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


ALL = ["mlflow", "wandb", "tensorboard", "local"]
TRACKERS = ["mlflow", "wandb", "tensorboard"]

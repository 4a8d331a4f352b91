"""What logging costs a real training loop: none, runcast with three trackers, the three SDKs directly."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import TRACKERS, Row, isolated

STEPS = 3000
"""At about 100 steps a second: 30 s."""


def _loop(log: Any) -> float:
    """Seconds for `STEPS` steps of a small network on one thread, calibrated to about 10 ms each."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    data, target = torch.randn(900, 256), torch.randint(0, 10, (900,))
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        value = float(loss)
        log({f"train/metric{i}": value + i for i in range(10)}, step)
    return 0.0


def plain() -> float:
    """No logging at all."""
    import torch  # noqa: F401  # not a part of the loop's time

    began = time.perf_counter()
    _loop(lambda values, step: None)
    return time.perf_counter() - began


def with_runcast() -> tuple[float, float]:
    """Three trackers through runcast; start included, the wait of finish not.

    Returns:
        Seconds of the loop, and seconds of CPU that courier and workers took beside it.
    """
    import torch  # noqa: F401  # not a part of the loop's time

    import runcast

    began = time.perf_counter()
    run = runcast.start("bench", backends=TRACKERS, config={"wandb": {"mode": "offline"}})
    _loop(run.log)
    took = time.perf_counter() - began
    beside = _courier_seconds()
    run.finish(timeout=60)
    return took, beside


def _courier_seconds() -> float:
    """CPU time so far of the courier and the workers of this folder, as the kernel counts it."""
    mine = str(Path.cwd() / ".runcast").encode()
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if mine in arguments and any(b"runcast.courier" in argument for argument in arguments):
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def with_sdks() -> float:
    """The three SDKs called directly."""
    import mlflow
    import torch  # noqa: F401  # not a part of the loop's time
    import wandb
    from torch.utils.tensorboard import SummaryWriter

    began = time.perf_counter()
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.start_run()
    run = wandb.init(project="bench", mode="offline", settings=wandb.Settings(console="off"))
    writer = SummaryWriter("tb")

    def log(values: dict[str, float], step: int) -> None:
        mlflow.log_metrics(values, step=step)
        run.log(values, step=step)
        for key, value in values.items():
            writer.add_scalar(key, value, step)

    _loop(log)
    took = time.perf_counter() - began
    run.finish()
    return took


def memory() -> float:
    """MB that the process grew by over a million logged points (ten a call)."""
    import runcast

    values = {f"m{i}": 0.5 + i for i in range(10)}
    with runcast.start("bench", backends=["tensorboard"]) as run:
        for step in range(2_000):
            run.log(values, step=step)
        before = _resident()
        for step in range(2_000, 102_000):
            run.log(values, step=step)
        after = _resident()
        run.finish(timeout=0)
    return after - before


def _resident() -> float:
    """Memory of this process in MB, as the kernel counts it now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def rows(pairs: int = 6) -> list[Row]:
    """Lines of the table: pairs of loops, one after the other, the order changing from pair to pair."""
    steps, slower, beside = [], [], []
    with tempfile.TemporaryDirectory() as cache:  # settings that were used before, as they mostly are

        def loop(name: str) -> Any:
            return isolated(f"benchmarks.training:{name}", XDG_CACHE_HOME=cache)

        for number in range(pairs):
            if number % 2:
                (ours, courier), bare = loop("with_runcast"), loop("plain")
            else:
                bare, (ours, courier) = loop("plain"), loop("with_runcast")
            steps.append(STEPS / bare)
            slower.append(ours / bare - 1)
            beside.append(courier)
        sdks = loop("with_sdks") / loop("plain") - 1
    typical = statistics.median(slower)
    grown = isolated("benchmarks.training:memory")
    return [
        Row("training loop without logging", f"{min(steps):.0f} to {max(steps):.0f} steps/s"),
        Row(
            f"  with runcast, 3 trackers, start included, median of {pairs} pairs",
            f"{typical:+.1%} ({', '.join(f'{one:+.1%}' for one in slower)})",
            "≤ +5 %",
            typical <= 0.05,
        ),
        Row("  CPU time of courier and workers beside it", f"{statistics.median(beside):.1f} s"),
        Row("  with the three SDKs called directly, one pair", f"{sdks:+.1%}"),
        Row("memory grown over a million points", f"{grown:.1f} MB", "≤ 20 MB", grown <= 20),
    ]

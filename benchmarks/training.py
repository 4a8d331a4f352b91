"""What logging costs a real training loop: none, runcast with three trackers, the three SDKs directly."""

from __future__ import annotations

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


def with_runcast() -> float:
    """Three trackers through runcast; start included, the wait of finish not."""
    import torch  # noqa: F401  # not a part of the loop's time

    import runcast

    began = time.perf_counter()
    run = runcast.start("bench", backends=TRACKERS, config={"wandb": {"mode": "offline"}})
    _loop(run.log)
    took = time.perf_counter() - began
    run.finish(timeout=60)
    return took


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


def rows(rounds: int = 3) -> list[Row]:
    """Lines of the table; the three loops take turns, and ratios are of medians."""
    times: dict[str, list[float]] = {"plain": [], "with_runcast": [], "with_sdks": []}
    with tempfile.TemporaryDirectory() as cache:  # settings that were used before, as they mostly are
        for _ in range(rounds):
            for name, all_ in times.items():
                all_.append(isolated(f"benchmarks.training:{name}", XDG_CACHE_HOME=cache))
    plain_, ours, sdks = (statistics.median(all_) for all_ in times.values())
    slower = ours / plain_ - 1
    grown = isolated("benchmarks.training:memory")
    return [
        Row("training loop without logging", f"{STEPS / plain_:.0f} steps/s"),
        Row("  with runcast, 3 trackers, start included", f"{slower:+.1%}", "≤ +5 %", slower <= 0.05),
        Row("  with the three SDKs called directly", f"{sdks / plain_ - 1:+.1%}"),
        Row("memory grown over a million points", f"{grown:.1f} MB", "≤ 20 MB", grown <= 20),
    ]

"""What media cost the training thread, beside the native clients' own calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.measure import Row, isolated, medians

CALLS = {"image": 40, "histogram": 40, "table": 10}
_BLOCK = 10
KINDS = ("image", "histogram", "table")
_NAMES = {
    "image": "224×224 RGB image, uint8",
    "histogram": "histogram of 1M float32 values",
    "table": "table of 10k×10 cells",
}


def _image(step: int) -> Any:
    """A new picture at each step, so that none is stored already; smooth, as photographs are."""
    import numpy as np

    x = np.arange(224, dtype=np.uint8)
    return np.stack([np.add.outer(x, x + step), np.add.outer(x // 2, x), np.add.outer(x, 255 - x)], axis=2)


def _values() -> Any:
    import numpy as np

    return np.random.default_rng(0).standard_normal(1_000_000).astype(np.float32)


def _rows() -> tuple[list[str], list[list[Any]]]:
    columns = [f"column {i}" for i in range(10)]
    return columns, [[i, f"row {i}", *(i * 0.37 + j for j in range(8))] for i in range(10_000)]


def _time(call: Callable[[int], Any], kind: str) -> float:
    return medians({"call": call}, CALLS[kind], _BLOCK)["call"][0]


def ours(kind: str) -> float:
    """`run.log`; what any number of backends make of it, and what is recorded beside, happens elsewhere."""
    import runcast

    images, values, (columns, rows) = [_image(step) for step in range(CALLS["image"])], _values(), _rows()
    calls: dict[str, Callable[[int], Any]] = {
        "image": lambda step: run.log({"image": runcast.Image(images[step])}, step=step),
        "histogram": lambda step: run.log({"weights": runcast.Histogram(values)}, step=step),
        "table": lambda step: run.log({"table": runcast.Table(rows, columns)}, step=step),
    }
    # Without a courier a thread of this process would look at packages and machine, and hold the interpreter.
    alone = {"delivery": "later", "capture": False, "system_interval": 0}
    with runcast.start("bench", config=alone) as run:
        run.log({"warm": runcast.Histogram([1.0])})  # imports NumPy and the types once
        return _time(calls[kind], kind)


def tensorboard(kind: str) -> float:
    """torch's ``SummaryWriter.add_image`` and ``add_histogram``."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter("tb")
    images, values = [_image(step) for step in range(CALLS["image"])], _values()
    calls: dict[str, Callable[[int], Any]] = {
        "image": lambda step: writer.add_image("image", images[step], step, dataformats="HWC"),
        "histogram": lambda step: writer.add_histogram("weights", values, step),
    }
    return _time(calls[kind], kind)


def wandb(kind: str) -> float:
    """Offline ``run.log`` of ``wandb.Image``, ``Histogram`` and ``Table``."""
    import wandb

    images, values, (columns, rows) = [_image(step) for step in range(CALLS["image"])], _values(), _rows()
    calls: dict[str, Callable[[int], Any]] = {
        "image": lambda step: run.log({"image": wandb.Image(images[step])}, step=step),
        "histogram": lambda step: run.log({"weights": wandb.Histogram(values)}, step=step),
        "table": lambda step: run.log({"table": wandb.Table(columns=columns, data=rows)}, step=step),
    }
    settings = wandb.Settings(console="off", x_disable_stats=True)
    run = wandb.init(project="bench", mode="offline", settings=settings)
    median = _time(calls[kind], kind)
    run.finish()
    return median


def mlflow(kind: str) -> float:
    """``mlflow.log_image`` with a key and a step, and ``mlflow.log_table``, on SQLite and a folder."""
    import mlflow
    import pandas as pd

    images, (columns, rows) = [_image(step) for step in range(CALLS["image"])], _rows()
    frame = pd.DataFrame(rows, columns=columns)
    calls: dict[str, Callable[[int], Any]] = {
        "image": lambda step: mlflow.log_image(images[step], key="image", step=step, synchronous=True),
        "table": lambda step: mlflow.log_table(frame, f"table-{step}.json"),
    }
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    with mlflow.start_run():
        return _time(calls[kind], kind)


def rows() -> list[Row]:
    """Lines of the table."""
    table = []
    for kind in KINDS:
        mine = isolated("benchmarks.media:ours", kind)
        table.append(Row(_NAMES[kind], f"{mine / 1000:.2f} ms"))
        for other in ("tensorboard", "wandb", "mlflow"):
            if (other, kind) in (("tensorboard", "table"), ("mlflow", "histogram")):
                continue  # the client has no such call
            theirs = isolated(f"benchmarks.media:{other}", kind)
            ratio = theirs / mine
            figure = f"{theirs / 1000:.2f} ms = {ratio:.1f} x"
            table.append(Row(f"  {other}'s own call", figure, "≥ 1 x", ratio >= 1))
    return table

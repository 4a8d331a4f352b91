"""Models, data and questions that the tests of models share."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import onnx
import pandas as pd
import torch
from onnx import TensorProto, helper, numpy_helper

import runcast
from runcast import catalog
from runcast.catalog import ArtifactInfo

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
Y = (X["a"] > 0).astype(int)
ARRAY = X.to_numpy("float32")


class Doubler:
    """An object with predict, and state."""

    factor = 2

    def predict(self, rows: Any) -> Any:
        """Twice the input."""
        return rows * self.factor


class Locked(torch.nn.Linear):
    """A module that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.lock = threading.Lock()


def double(rows: Any) -> Any:
    """A plain function."""
    return rows * 2


def linear() -> torch.nn.Module:
    """A small module with weights that are no zeros."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def doubling() -> onnx.ModelProto:
    """x → 2·x as a graph."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
        [numpy_helper.from_array(np.array([2], "float32"), "two")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def logged(run: runcast.Run, name: str = "model") -> ArtifactInfo:
    """What the catalog knows of the run's last model."""
    return [info for info in catalog.artifacts(name=name) if info.run == run.id][-1]


def reasons(run: runcast.Run) -> str:
    """Why something was not kept, or only in part."""
    return " | ".join(loss.reason for loss in catalog.run(run.id).losses())

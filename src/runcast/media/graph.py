"""The graph of a model."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from runcast.formats.tfevents import Event, FrameReader, read
from runcast.formats.tfevents.wire import fields
from runcast.media.store import Store
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize.problem import type_name

_GRAPH_DEF = 4  # field of ``Event`` in tensorflow/core/util/event.proto
_NODE = 1  # field of ``GraphDef`` in tensorflow/core/framework/graph.proto


class Graph(Value):
    """What a PyTorch module computes, as a graph; the module runs once on the example.

    Args:
        model: a ``torch.nn.Module``; left in the mode (training or not) that it is in.
        example: an input for it: a tensor, or a tuple of them.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("example", "model")
    type: ClassVar[str] = "graph"

    def __init__(
        self,
        model: Any,
        example: Any,
        *,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.model = model
        self.example = example

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        definition = self._traced()
        nodes = sum(number == _NODE for number, _, _ in fields(definition))
        if not nodes:
            raise Unfit("the traced graph has no node")
        return Draft(self.type, {"nodes": nodes}, (store.data("graph.pb", definition),))

    def _traced(self) -> bytes:
        """The GraphDef that PyTorch's own writer makes of the module."""
        try:
            import torch
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise Unfit(
                f"PyTorch and TensorBoard are needed to draw a graph ({error.name or error}): "
                "pip install torch 'runcast[tensorboard]'"
            ) from error
        if not isinstance(self.model, torch.nn.Module):
            raise Unfit(f"{type_name(self.model)} is no module of PyTorch: give a torch.nn.Module")
        if self.example is None:
            raise Unfit("a graph needs an input: runcast.Graph(model, torch.zeros(1, 3, 32, 32))")
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing: about the script's own branches
            try:
                writer = SummaryWriter(folder)
                with contextlib.redirect_stdout(None):  # PyTorch prints what it raises
                    writer.add_graph(self.model, self.example)
                writer.close()
            except Exception as error:  # whatever the module raises
                raise Unfit(
                    f"{type_name(self.model)} cannot be traced with this example: "
                    f"{type_name(error)}: {str(error)[:200]}"
                ) from error
            for path in sorted(Path(folder).iterdir()):
                for event in _events(path):
                    if _GRAPH_DEF in event.other:
                        return event.other[_GRAPH_DEF]
        raise Unfit(f"tracing {type_name(self.model)} gave no graph")


def _events(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        yield from read(FrameReader(file))

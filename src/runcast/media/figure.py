"""Figures of matplotlib and plotly."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import Any, ClassVar

from runcast.media.store import Store
from runcast.media.value import FIGURE, PLOTLY, Draft, Unfit, Value, known
from runcast.normalize.problem import type_name
from runcast.redact import redact_text, redact_tree


class Figure(Value):
    """A drawing as its library made it: matplotlib's as a PNG, plotly's as data that stays interactive.

    A figure of matplotlib is drawn at the call, because the script may go on drawing into it.

    Args:
        figure: matplotlib figure, axes, or ``matplotlib.pyplot`` itself (its current figure); seaborn grid;
            plotly figure.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("figure",)
    type: ClassVar[str] = "figure"

    def __init__(
        self, figure: Any, *, caption: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.figure = figure

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        kind = figure_of(self.figure)
        if kind == PLOTLY:
            return self._plotly(store)
        if kind != FIGURE:
            raise Unfit(f"{type_name(self.figure)} is no figure: give one of matplotlib or plotly")
        data, width, height = self.png()
        size = {"library": "matplotlib", "width": width, "height": height}
        return Draft(self.type, size, (store.data("figure.png", data),))

    def png(self) -> tuple[bytes, int, int]:
        """A matplotlib figure as (PNG, width, height)."""
        figure = _resolve(self.figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", pil_kwargs={"compress_level": 1})  # time matters more than room
        data = out.getvalue()
        width, height = struct.unpack(">II", data[16:24])
        return data, width, height

    def _plotly(self, store: Store) -> Draft:
        text = str(self.figure.to_json())
        seen = text.replace("\\u002f", "/")  # as plotly writes it
        if redact_text(seen) != seen:  # then masked value by value, so that it stays JSON
            text = json.dumps(redact_tree(json.loads(text))[0])
        data: dict[str, Any] = {"library": "plotly"}
        for name in ("width", "height"):
            if isinstance(size := getattr(self.figure.layout, name, None), (int, float)):
                data[name] = int(size)
        return Draft(self.type, data, (store.data("figure.plotly.json", text.encode()),))


def figure_of(value: Any) -> str:
    """``figure`` for what matplotlib can draw, ``plotly``, or "" for anything else."""
    kind = known(value)
    if kind in (FIGURE, PLOTLY):
        return kind
    return FIGURE if _resolve(value) is not None else ""


def _resolve(value: Any) -> Any:
    """The figure that a figure, axes, a grid of seaborn, or pyplot stands for; None for anything else."""
    if known(value) == FIGURE:
        return value
    if getattr(value, "__name__", "") == "matplotlib.pyplot":
        return value.gcf()
    root = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    if root & {"matplotlib", "seaborn"}:
        inner = getattr(value, "figure", None)
        return inner if known(inner) == FIGURE else None
    return None

"""Vectors with labels and pictures, for TensorBoard's projector and the like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from runcast.media.arrays import is_tensor, numpy, to_array
from runcast.media.pixels import channels_last, to_uint8
from runcast.media.store import Store
from runcast.media.table import columns_of
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize.flatten import key_text
from runcast.normalize.problem import text_of
from runcast.redact import redact_text
from runcast.render.png import encode

_LARGEST = 8192
"""Width and height in pixels up to which browsers take a sprite as a texture."""


class Embedding(Value):
    """Points of a space with many dimensions.

    Args:
        vectors: N×D array or tensor.
        metadata: one label per vector, or a table of N rows: list of rows (with `columns`), list of dicts,
            dict of columns, or data frame.
        columns: names of the columns of `metadata`, where it has several and does not name them.
        images: one small picture per vector: N×H×W×C, N×C×H×W or N×H×W; pixels as of `Image`.
        caption: shown beside it.
    """

    __slots__ = ("columns", "images", "labels", "vectors")
    type: ClassVar[str] = "embedding"

    def __init__(
        self,
        vectors: Any,
        metadata: Any = None,
        *,
        columns: list[str] | None = None,
        images: Any = None,
        caption: str | None = None,
    ) -> None:
        super().__init__(caption=caption)
        self.vectors = vectors
        self.labels = metadata
        self.columns = columns
        self.images = images

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        np = numpy()
        vectors = to_array(self.vectors, "vectors: N×D")
        if vectors.ndim != 2 or 0 in vectors.shape:
            raise Unfit("vectors have the shape N×D with at least one row and one column")
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32)
        strange = int(vectors.size - np.isfinite(vectors).sum())
        if strange:
            store.report("coordinates that are not finite: they are set to 0", f"{strange} of {vectors.size}")
            vectors = np.nan_to_num(vectors, nan=0.0, posinf=0.0, neginf=0.0)
        data: dict[str, Any] = {"rows": vectors.shape[0], "dims": vectors.shape[1], "parts": ["vectors"]}
        files = [store.array("vectors.npy", vectors)]
        for name, given in (("metadata", self.labels), ("sprite", self.images)):
            if given is None:
                continue
            try:
                if name == "metadata":
                    files.append(store.data("metadata.tsv", _tsv(given, self.columns, len(vectors))))
                else:
                    sprite, size = _sprite(given, len(vectors), store)
                    files.append(store.data("sprite.png", sprite))
                    data["sprite"] = size
            except Unfit as error:
                store.report(f"the embedding's {name}: {error}")
            else:
                data["parts"].append(name)
        return Draft(self.type, data, tuple(files))


def _tsv(given: Any, names: list[str] | None, count: int) -> bytes:
    """One line per vector; a header line where there are several columns."""
    labels = (
        given.tolist()
        if callable(getattr(given, "tolist", None)) and not hasattr(given, "columns")
        else given
    )
    flat = isinstance(labels, (list, tuple)) and not any(
        isinstance(label, (list, tuple, Mapping)) for label in labels
    )
    if flat:
        columns = [list(labels)]
        titles = [""]
    else:
        titles, columns = columns_of(labels, names)
    if len(columns) == 0 or len(columns[0]) != count:
        raise Unfit(f"{count} vectors need as many rows, not {len(columns[0]) if columns else 0}")
    lines = [titles] if len(titles) > 1 else []
    lines += [list(row) for row in zip(*columns, strict=True)]
    text = "\n".join("\t".join(_field(cell) for cell in line) for line in lines) + "\n"
    return redact_text(text).encode("utf-8", "replace")


def _field(cell: Any) -> str:
    return " ".join((key_text(cell) if isinstance(cell, bytes) else text_of(cell)).split())


def _sprite(images: Any, count: int, store: Store) -> tuple[bytes, list[int]]:
    """(a square of all pictures row by row as PNG, [width, height] of one)."""
    np = numpy()
    array = to_array(images, "images: N×H×W×C, N×C×H×W or N×H×W")
    if array.ndim == 3:
        array = array[:, :, :, None]
    elif array.ndim == 4:
        array = channels_last(array, is_tensor(images))
    if array.ndim != 4 or len(array) != count or 0 in array.shape:
        raise Unfit(f"{count} vectors need as many pictures: N×H×W×C, N×C×H×W or N×H×W")
    _, height, width, channels = array.shape
    across = math.ceil(math.sqrt(count))
    if across * max(width, height) > _LARGEST:
        raise Unfit(
            f"{count} pictures of {width}×{height} exceed {_LARGEST} pixels a side: make them smaller"
        )
    array = to_uint8(array, store)
    sheet = np.zeros((across * across, height, width, channels), dtype=np.uint8)
    sheet[:count] = array
    sheet = sheet.reshape(across, across, height, width, channels).swapaxes(1, 2)
    return encode(sheet.reshape(across * height, across * width, channels)), [width, height]

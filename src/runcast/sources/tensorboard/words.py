"""Texts: one string, or a table of strings."""

from __future__ import annotations

from collections.abc import Iterator

from runcast import codec
from runcast.records import Record
from runcast.sources.tensorboard.item import Item

SUFFIX = "/text_summary"
"""What torch and tensorboardX put behind a text's name."""


def text(item: Item) -> Iterator[Record]:
    """Markdown; TensorBoard draws an array of strings as a table, and so it comes as one."""
    if isinstance(item.value.value, str):
        yield item.media("text", text=item.value.value, caption=item.value.caption)
        return
    tensor = item.tensor()
    cells = [cell.decode("utf-8", "replace") for cell in tensor.strings]
    if len(cells) == 1:
        yield item.media("text", text=cells[0])
        return
    if not cells:
        raise ValueError("it has no text")
    width = tensor.shape[-1] if len(tensor.shape) > 1 and tensor.shape[-1] > 0 else 1
    rows = [cells[start : start + width] for start in range(0, len(cells), width)]
    columns = [str(number) for number in range(width)] if width > 1 else ["text"]
    content = codec.to_json({"columns": columns, "data": rows})
    data = {"rows": len(rows), "columns": width}
    yield item.media("table", item.file("text.table.json", content), data=data)

"""Values for ``run.log`` that are no numbers."""

from __future__ import annotations


class Value:
    """Base of every media value."""

    __slots__ = ("caption",)

    def __init__(self, *, caption: str | None = None) -> None:
        self.caption = caption


class Text(Value):
    """Prose or Markdown at a step, such as a generated sample.

    Args:
        text: the content; any length.
        caption: shown beside it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str, *, caption: str | None = None) -> None:
        super().__init__(caption=caption)
        self.text = str(text)

    def __repr__(self) -> str:
        return f"Text({self.text[:40]!r})"

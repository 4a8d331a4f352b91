"""Text and HTML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from runcast.media.store import Store, as_path, suffix_of
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize.problem import text_of

_INLINE = 1 << 20  # bytes; longer text becomes a file, so that the journal's lines stay readable
_LONGEST = 64 << 20


class Text(Value):
    """Prose or Markdown at a step, such as a generated sample.

    Args:
        text: the content; anything else than text is logged as ``str`` of it.
        caption: shown beside it.
        markdown: whether trackers may render it as Markdown.
        metadata: anything JSON-like.
    """

    __slots__ = ("markdown", "text")
    type: ClassVar[str] = "text"

    def __init__(
        self,
        text: str,
        *,
        caption: str | None = None,
        markdown: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.text = text_of(text)
        self.markdown = markdown

    def __repr__(self) -> str:
        return f"Text({self.text[:40]!r})"

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        data: dict[str, Any] = {"format": "markdown"} if self.markdown else {}
        return _draft(self.type, store, self.text, "text.txt", data)


class Html(Value):
    """A page or a piece of one.

    Args:
        html: the content, or the path of an ``.html`` file: a `Path`, or text that ends with ``.html`` and
            has no tag in it.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("html",)
    type: ClassVar[str] = "html"

    def __init__(
        self,
        html: str | os.PathLike[str],
        *,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.html = html

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        html = self.html
        if not isinstance(html, str) or ("<" not in html and html.lower().endswith((".html", ".htm"))):
            path = as_path(html)
            if path is None:
                raise Unfit("HTML is text, or the path of a file")
            suffix_of(path, (".html", ".htm"), "HTML")
            if path.stat().st_size > _LONGEST:
                raise Unfit("an HTML file over 64 MiB is no page: use run.log_artifact")
            html = path.read_text("utf-8", "replace")
        return _draft(self.type, store, str.__str__(html), "page.html", {})


def _draft(type: str, store: Store, text: str, name: str, data: dict[str, Any]) -> Draft:
    clean = store.text(text)
    if len(clean) < _INLINE:
        return Draft(type, data, text=clean)
    return Draft(type, data, (store.data(name, clean.encode("utf-8", "surrogatepass")),))

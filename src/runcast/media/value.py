"""What every media value is, and which of a script's objects are one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from runcast.media.store import Store
    from runcast.records import FileRef

FIGURE, PLOTLY, PICTURE, FRAME = "figure", "plotly", "picture", "frame"
_KNOWN = {
    ("matplotlib.figure", "Figure"): FIGURE,
    ("plotly.basedatatypes", "BaseFigure"): PLOTLY,
    ("PIL.Image", "Image"): PICTURE,
    ("pandas", "DataFrame"): FRAME,
    ("pandas.core.frame", "DataFrame"): FRAME,
    ("polars.dataframe.frame", "DataFrame"): FRAME,
}


class Unfit(Exception):
    """A value cannot be kept; the text says why, and the mend. `record` catches it: no user meets it."""


class Draft(NamedTuple):
    """The content of a record, see `runcast.records.Media`."""

    type: str
    data: dict[str, Any]
    files: tuple[FileRef, ...] = ()
    text: str | None = None


class Value:
    """Base of every media value.

    Args:
        caption: shown beside it.
        metadata: anything JSON-like that belongs to it.
    """

    __slots__ = ("caption", "metadata")
    type: ClassVar[str]

    def __init__(self, *, caption: str | None = None, metadata: Mapping[str, Any] | None = None) -> None:
        self.caption = caption
        self.metadata = metadata

    def __repr__(self) -> str:
        return f"<runcast.{type(self).__name__}>"

    def draft(self, store: Store) -> Draft:
        """Read the value, and put its files into the store.

        Raises:
            Unfit: it cannot be kept.
            OSError: a file cannot be read, or the disk is full.
        """
        raise NotImplementedError


def known(value: object) -> str:
    """What kind of another library's object this is, by the names of its classes; "" for any other."""
    for base in type(value).__mro__:
        if kind := _KNOWN.get((base.__module__, base.__name__)):
            return kind
    return ""


def is_media(value: object) -> bool:
    """Whether `run.log` hands this to `record` instead of reading a number out of it.

    That is: a value of this package, an object that is known to be a picture, a figure or a data frame,
    and a list or tuple of these.
    """
    if isinstance(value, Value):
        return True
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, Value) or bool(known(item)) for item in value)
    return bool(known(value))

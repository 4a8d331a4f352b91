"""One row of W&B's history, as long as records may still join it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from runcast import codec

_SECOND = 10**9
_NONE: Mapping[str, bytes] = {}
Said = tuple[int, Iterable[str], "dict[str, str] | None"]
"""Of a record in a row: its time in ns, its keys, and of its numbers those that W&B would change, as text."""


class Row:
    """Cells, and what was said when.

    Attributes:
        step, time: where; ns since 1970.
        said: the records of numbers in it.
        mixed: whether it holds anything but numbers.
    """

    __slots__ = ("_cells", "_keys", "_texts", "mixed", "said", "step", "time")

    def __init__(
        self, step: int, time: int, keys: Iterable[str], texts: list[bytes], said: list[Said]
    ) -> None:
        self.step, self.time, self.said, self.mixed = step, time, said, False
        self._keys, self._texts = keys, texts
        self._cells: dict[str, bytes] | None = None

    @property
    def cells(self) -> dict[str, bytes]:
        """Key → JSON text; may be changed."""
        if self._cells is None:  # most rows are one record, which needs no dict
            self._cells = dict(zip(self._keys, self._texts, strict=True))
        return self._cells

    def has_room(self, keys: Collection[str], columns: Mapping[str, bytes] = _NONE) -> bool:
        """Whether keys can join, and columns that may be there, if they say the same."""
        cells = self.cells
        if not cells.keys().isdisjoint(keys):
            return False
        return not columns or all(cells.get(name, text) == text for name, text in columns.items())

    def put(
        self, time: int, keys: Collection[str], texts: Iterable[bytes], exact: Mapping[str, str] | None
    ) -> None:
        """One more record; `exact` as for `Rows.add`."""
        self.cells.update(zip(keys, texts, strict=True))
        self.time = time
        if exact is None:
            self.mixed = True
        else:
            self.said.append((time, keys, {k: exact[k] for k in keys if k in exact} if exact else None))

    def columns(self) -> tuple[tuple[str, ...], list[bytes]]:
        """Keys, and as many JSON texts."""
        if self._cells is None:
            return tuple(self._keys), self._texts
        return tuple(self._cells), list(self._cells.values())

    def times(self) -> bytes:
        """JSON text of what W&B's one time for a row does not say, see `runcast.backends.wandb.rows`."""
        base = whole(self.time)
        if len(self.said) == 1 and not self.mixed:
            time, _, exact = self.said[0]
            if not exact:
                return b"%d" % (time - base)
            parts: list[Any] = [[time - base, None, exact]]
        else:
            parts = [[time - base, list(keys), exact] for time, keys, exact in self.said]
        return codec.to_json(codec.to_json(parts).decode())

    def saved(self) -> dict[str, Any]:
        """JSON-like, for `restored`."""
        values = {key: text.decode() for key, text in self.cells.items()}
        said = [[time, list(keys), exact] for time, keys, exact in self.said]
        mixed = {"mixed": True} if self.mixed else {}
        return {"step": self.step, "time": self.time, "values": values, "said": said, **mixed}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Row:
        """The row whose `saved` this is."""
        said: list[Said] = [(time, keys, exact) for time, keys, exact in saved["said"]]
        texts = [text.encode() for text in saved["values"].values()]
        row = cls(saved["step"], saved["time"], list(saved["values"]), texts, said)
        row.mixed = "mixed" in saved
        return row


def whole(time: int) -> int:
    """A time in ns as W&B's row has it: seconds as a double, cut to whole ns."""
    return int(time / _SECOND * _SECOND)

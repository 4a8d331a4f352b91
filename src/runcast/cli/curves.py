"""Curves for a terminal: the plain drawing, coloured where the terminal has colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runcast.catalog.curves import Curve
from runcast.catalog.plot import MARKS, plot
from runcast.cli import output

if TYPE_CHECKING:
    from rich.text import Text

_COLORS = ("blue", "red", "green", "magenta", "yellow", "cyan", "bright_blue", "bright_red")
_WIDEST = 100


def picture(title: str, curves: Sequence[tuple[str, Curve]], width: int) -> Text:
    """One metric's curves under its name, with a legend where there are several."""
    from rich.text import Text

    made = Text("\n").append_text(output.safe(title, "bold")).append("\n")
    for line in plot([curve for _, curve in curves], min(width, _WIDEST)):
        for cell in line:
            made.append(cell.text, "" if cell.curve < 0 else _color(cell.curve))
        made.append("\n")
    if len(curves) > 1:
        for index, (label, _) in enumerate(curves):
            made.append(f"  {MARKS[index % len(MARKS)]} ", _color(index))
            made.append_text(output.safe(label, most=60))
        made.append("\n")
    return made


def _color(index: int) -> str:
    return _COLORS[index % len(_COLORS)]

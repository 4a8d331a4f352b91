"""Curves in a terminal: braille dots, 2 by 4 to a character, no colours needed to tell them apart."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import NamedTuple

from runcast.catalog.curves import Curve
from runcast.catalog.texts import number

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # [row][column] of a braille cell
MARKS = "abcdefghijklmnopqrstuvwxyz"


class Cell(NamedTuple):
    """One character and which curve it belongs to; -1 for the frame."""

    text: str
    curve: int = -1


class Span(NamedTuple):
    """What the axes show."""

    left: float
    right: float
    low: float
    high: float


def plot(curves: Sequence[Curve], width: int = 72, height: int = 14) -> list[list[Cell]]:
    """Lines of cells: the curves in a frame with their axes.

    Each curve ends in its letter of `MARKS`. A curve without a finite value is not drawn.

    Args:
        width, height: of the whole picture in characters; at least 24 by 4.
    """
    span = extent(curves)
    if span is None:
        return [[Cell("no finite values")]]
    labels = [number(span.high), number((span.low + span.high) / 2), number(span.low)]
    margin = max(len(label) for label in labels)
    columns, rows = max(width, 24) - margin - 2, max(height, 4) - 2
    canvas = _Canvas(columns, rows, span)
    for index, curve in enumerate(curves):
        canvas.draw(curve, index)
    at = {0: labels[0], rows // 2: labels[1], rows - 1: labels[2]}
    lines = [
        [Cell(at.get(row, "").rjust(margin) + (" ┤" if row in at else " │")), *canvas.line(row)]
        for row in range(rows)
    ]
    left, right = f"{span.left:.10g}", f"{span.right:.10g}"
    lines.append([Cell(" " * (margin + 1) + "└" + "─" * columns)])
    lines.append([Cell(" " * (margin + 2) + left + right.rjust(columns - len(left)))])
    return lines


def text(lines: Sequence[Sequence[Cell]]) -> str:
    """The picture as plain text."""
    return "\n".join("".join(cell.text for cell in line).rstrip() for line in lines)


def extent(curves: Sequence[Curve]) -> Span | None:
    """The rectangle that holds every finite point, never without width or height; None where none is."""
    points = [point for curve in curves for point in curve if math.isfinite(point[1])]
    if not points:
        return None
    xs, ys = [float(step) for step, _ in points], [value for _, value in points]
    left, right = _widen(min(xs), max(xs))
    low, high = _widen(min(ys), max(ys))
    return Span(left, right, low, high)


def fraction(value: float, low: float, high: float) -> float:
    """Where `value` is between two ends, 0 to 1, without overflow for the largest floats."""
    if math.isfinite(high - low):
        return (value - low) / (high - low)
    return (value / 2 - low / 2) / (high / 2 - low / 2)


def _widen(low: float, high: float) -> tuple[float, float]:
    if high > low:
        return low, high
    margin = max(abs(low) * 0.1, 0.5)
    return max(low - margin, -sys.float_info.max), min(high + margin, sys.float_info.max)


class _Canvas:
    """A grid of braille cells over a rectangle of the plane."""

    def __init__(self, columns: int, rows: int, span: Span) -> None:
        self._columns, self._rows, self._span = columns, rows, span
        self._bits = [[0] * columns for _ in range(rows)]
        self._owner = [[-1] * columns for _ in range(rows)]
        self._marks: dict[tuple[int, int], str] = {}

    def draw(self, curve: Curve, index: int) -> None:
        last: tuple[int, int] | None = None
        end: tuple[int, int] | None = None
        for step, value in curve:
            if not math.isfinite(value):
                last = None  # a gap
                continue
            here = self._place(step, value)
            self._line(last or here, here, index)
            last = end = here
        if end is not None:
            self._mark(end[0] // 2, end[1] // 4, index)

    def line(self, row: int) -> list[Cell]:
        cells = []
        for column in range(self._columns):
            mark = self._marks.get((row, column))
            bits = self._bits[row][column]
            cells.append(Cell(mark or (chr(0x2800 + bits) if bits else " "), self._owner[row][column]))
        return cells

    def _mark(self, column: int, row: int, index: int) -> None:
        while (row, column) in self._marks and column > 0:
            column -= 1  # another curve ends here: stand beside it
        self._marks[row, column] = MARKS[index % len(MARKS)]
        self._owner[row][column] = index

    def _place(self, step: int, value: float) -> tuple[int, int]:
        span = self._span
        x = fraction(step, span.left, span.right) * (self._columns * 2 - 1)
        y = fraction(value, span.high, span.low) * (self._rows * 4 - 1)
        return round(x), round(y)

    def _line(self, start: tuple[int, int], end: tuple[int, int], index: int) -> None:
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for i in range(length + 1):
            x = round(start[0] + (end[0] - start[0]) * i / length)
            y = round(start[1] + (end[1] - start[1]) * i / length)
            self._bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._owner[y // 4][x // 2] = index

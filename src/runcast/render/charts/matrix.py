"""The confusion matrix: true classes down, predicted ones across, darker where there are more."""

from __future__ import annotations

from runcast.records import Media
from runcast.render.charts.canvas import GRID, INK, SOFT, Canvas

_PLOT = 440
_FIGURES = 20  # classes up to which the counts are written into the cells
_LABELS = 30  # labels that fit on a side
_TIPS = 40
_LIGHT, _DARK = (247, 251, 255), (8, 64, 129)


def confusion_matrix(media: Media) -> Canvas:
    """Cells are shaded by their share of the row: what became of the members of one class."""
    labels = [str(label) for label in media.data["labels"]]
    matrix = media.data["matrix"]
    if not labels or len(matrix) != len(labels) or any(len(row) != len(labels) for row in matrix):
        raise ValueError(f"{len(labels)} labels need a square matrix of as many rows")
    room = 30 + 7.0 * max(min(len(label), 16) for label in labels)
    canvas = Canvas(
        media.caption or media.key, room + _PLOT + 44, room + _PLOT + 70, (room + 24, 44, 20, room + 26)
    )
    cell = _PLOT / len(labels)
    for i, row in enumerate(matrix):
        total = sum(row) or 1
        for j, count in enumerate(row):
            x, y = canvas.left + j * cell, canvas.top + i * cell
            share = min(1.0, max(0.0, count / total))
            tip = f"true {labels[i]}, predicted {labels[j]}: {count:g} ({share:.1%})"
            canvas.rect(x, y, cell, cell, _shade(share), tip if len(labels) <= _TIPS else "")
            if len(labels) <= _FIGURES:
                size = min(16.0, cell * 0.45, 1.5 * cell / max(1, len(f"{count:g}")))
                canvas.text(
                    x + cell / 2, y + cell / 2 + size * 0.35, f"{count:g}", anchor="middle", size=size,
                    fill="#ffffff" if share > 0.5 else INK,
                )  # fmt: skip
    _sides(canvas, labels, cell, room)
    return canvas


def _sides(canvas: Canvas, labels: list[str], cell: float, room: float) -> None:
    every = -(-len(labels) // _LABELS)
    for index in range(0, len(labels), every):
        middle = (index + 0.5) * cell
        canvas.text(
            canvas.left - 8, canvas.top + middle + 4, labels[index], anchor="end", fill=SOFT, longest=16
        )
        turn = -45 if len(labels) > 4 or len(labels[index]) * 7 > cell else 0
        anchor = "end" if turn else "middle"
        x, y = canvas.left + middle, canvas.bottom + (14 if turn else 18)
        canvas.text(x, y, labels[index], anchor=anchor, fill=SOFT, turn=turn, longest=16)
    for x1, y1, x2, y2 in (
        (canvas.left, canvas.top, canvas.right, canvas.top),
        (canvas.left, canvas.bottom, canvas.right, canvas.bottom),
        (canvas.left, canvas.top, canvas.left, canvas.bottom),
        (canvas.right, canvas.top, canvas.right, canvas.bottom),
    ):
        canvas.line(x1, y1, x2, y2, GRID)
    middle = canvas.left + _PLOT / 2
    canvas.text(middle, canvas.bottom + room + 12, "Predicted", anchor="middle", bold=True)
    x = canvas.left - room - 4
    canvas.text(x, canvas.top + _PLOT / 2, "True", anchor="middle", bold=True, turn=-90)


def _shade(share: float) -> str:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(_LIGHT, _DARK, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"

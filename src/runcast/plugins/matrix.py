"""The README's table of what each tracker holds, made from the backends' own declarations.

``python -m runcast.plugins.matrix README.md`` writes it between its two markers; a test fails where the
README differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runcast.plugins.backend import Backend
from runcast.plugins.capabilities import Capabilities, Support
from runcast.plugins.manager import backend_class

BEGIN, END = "<!-- capabilities: begin -->", "<!-- capabilities: end -->"
BUILT_IN = ("mlflow", "wandb", "tensorboard", "local")
_MARK = {"native": "●", "mapped": "◐", "notimpl": "not built", "notyet": "not yet", "never": "–"}


def markdown(backends: tuple[type[Backend], ...] | None = None) -> str:
    """A table of marks, and below it every note."""
    kinds = backends or tuple(backend_class(name) for name in BUILT_IN)
    lines = [
        "| | " + " | ".join(kind.name for kind in kinds) + " |",
        "|---|" + "---|" * len(kinds),
    ]
    notes: list[str] = []
    for feature, field in Capabilities.model_fields.items():
        cells = []
        for kind in kinds:
            support: Support = getattr(kind.capabilities, feature)
            cells.append(_MARK[support.level] + _footnote(kind.name, support, notes))
        lines.append(f"| {field.description} | " + " | ".join(cells) + " |")
    lines += ["", "● in the tracker's own slot; ◐ kept, in another form; – the tracker cannot hold it.", ""]
    lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


def _footnote(name: str, support: Support, notes: list[str]) -> str:
    if not support.note or support.level == "native":
        return ""
    notes.append(f"{name}: {support.note}")
    return f" [{len(notes)}]"


def insert(text: str, table: str) -> str:
    """`text` with the table between the markers replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table}{END}{tail}"


def main() -> None:
    """Write the table into the file that is named."""
    path = Path(sys.argv[1])
    path.write_text(insert(path.read_text(), markdown()))


if __name__ == "__main__":
    main()

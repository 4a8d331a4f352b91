"""``python -m tests.faults.table [--write]``: the table of ``docs/promise.md``, from the tests' own marks.

A test that proves a fault carries ``@pytest.mark.fault("F04", how="...", outcome="...")``. The marks are
read from the source, so that the table needs no tracker and no second.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "promise.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"

FAULTS = {
    "F01": "`kill -9` of the training process",
    "F02": "`kill -9` of a courier's worker",
    "F03": "`kill -9` of everything at once",
    "F04": "power cut",
    "F05": "full disk, short write in the middle of a record",
    "F06": "I/O error on write or fsync",
    "F07": "folder read-only, gone, or no descriptors left",
    "F08": "tracker down",
    "F09": "tracker hangs",
    "F10": "slow network",
    "F11": "server errors, connections reset in the middle of an answer",
    "F12": "too many requests, `Retry-After` sensible or not",
    "F13": "one record of a batch is refused",
    "F14": "no right to log in",
    "F15": "torn end of a journal",
    "F16": "damage in the middle of a journal",
    "F17": "foreign, stale, doubled or missing segment",
    "F18": "clock that jumps",
    "F19": "`fork` in the middle of a call",
    "F20": "data loader's workers log",
    "F21": "signals",
    "F22": "process that ends without `finish`",
    "F23": "odd values",
    "F24": "odd names",
    "F25": "everything delivered again",
    "F26": "hostile paths and links in artifacts",
    "F27": "secrets",
    "F28": "couriers at once, other versions, missing plugin",
}


class Proof(NamedTuple):
    """One mark: which fault, how it is injected, what comes of it, and the test that shows it."""

    fault: str
    how: str
    outcome: str
    file: str
    test: str


def proofs() -> list[Proof]:
    """Every mark of the test suite, by fault and place."""
    files = sorted(path for folder in ("tests", "plugins") for path in (ROOT / folder).rglob("test_*.py"))
    return sorted(proof for path in files for proof in _marks(path))


def _marks(path: Path) -> Iterator[Proof]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                words = {str(word.arg): ast.literal_eval(word.value) for word in mark.keywords}
                fault = ast.literal_eval(mark.args[0])
                yield Proof(fault, words["how"], words["outcome"], str(path.relative_to(ROOT)), node.name)


def table() -> str:
    """The table in Markdown."""
    lines = ["| fault | how it is injected | outcome | test |", "|---|---|---|---|"]
    before = ""
    for proof in proofs():
        name = f"**{proof.fault}** {FAULTS.get(proof.fault, '')}" if proof.fault != before else ""
        place = f"[`{proof.test}`](../{proof.file})"
        lines.append(f"| {name} | {proof.how} | {proof.outcome} | {place} |")
        before = proof.fault
    return "\n".join(lines) + "\n"


def updated(document: str) -> str:
    """The document with the table as it is now."""
    head, _, rest = document.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main() -> None:
    """Print the table, or put it into the document."""
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(updated(DOCUMENT.read_text()))
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()

"""docs/format.md says what the code does: its example, its reader, its tables and its commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from zlib import crc32

import msgspec
import pytest

from runcast import codec, records
from runcast.journal import Header, JournalReader
from runcast.journal.frame import frame, seed
from runcast.records import Metrics

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "format.md").read_text()
GOLDEN = ROOT / "tests" / "golden" / "v1"


def kinds_table() -> str:
    """The kinds and their fields as the document must show them."""
    rows = [
        "| kind | field | type | default |",
        "|---|---|---|---|",
        "| every kind | time | int | required |",
    ]
    for kind in records.KINDS:
        for field in msgspec.structs.fields(kind):
            if field.name in ("time", "writer", "seq"):
                continue
            written = re.sub(r"\s+", " ", str(kind.__annotations__[field.name])).replace("|", "or")
            rows.append(f"| {kind.__struct_config__.tag} | {field.name} | {written} | {_default(field)} |")
    return "\n".join(rows)


def _default(field: Any) -> str:
    if field.required:
        return "required"
    return json.dumps(field.default_factory() if field.default is msgspec.NODEFAULT else field.default)


def test_the_kinds_are_the_codes_kinds() -> None:
    """Every kind, field, type and default; nothing else."""
    shown = re.search(r"<!-- kinds: .*? -->\n(.*)\n<!-- /kinds -->", DOCUMENT, re.DOTALL)

    assert shown is not None
    assert shown[1] == kinds_table(), f"put this into docs/format.md:\n{kinds_table()}"


def test_the_statuses_are_documented() -> None:
    """A reader in another language knows each way in which a run can end."""
    for status in get_args(records.Status):
        assert f"`{status}`" in DOCUMENT


def test_the_headers_fields_are_the_codes_fields() -> None:
    """The header's table has each field once, in order, with its type."""
    table = DOCUMENT.split("## First line: the header")[1].split("\n## ")[0]
    shown = re.findall(r"^\| (\w+) \| ([\w\[\]]+) \| (?!meaning)", table, re.MULTILINE)

    assert shown == [(f.name, str(Header.__annotations__[f.name])) for f in msgspec.structs.fields(Header)]


def test_the_worked_example_is_what_the_code_writes() -> None:
    """JSON, each crc on the way, and the whole line."""
    example = DOCUMENT.split("### Worked example")[1].split("\n## ")[0]
    payload = codec.encode(Metrics(time=1_750_000_000_000_000_003, step=7, values={"train/loss": 0.5}))
    writer = "0a1b2c3d4e5f6071"
    line = frame(3, payload, seed(writer))

    assert f"JSON of {len(payload)} bytes" in example
    assert [block.encode() for block in re.findall(r"```text\n(.*?)```", example, re.DOTALL)] == [
        payload + b"\n",
        line,
    ]
    start = crc32(writer.encode())
    shown = re.findall(r"\| `([0-9a-f ]+)` \|$", example, re.MULTILINE)
    assert shown == [
        f"{start:08x}",
        f"{start ^ 3:08x}",
        line[26:34].decode(),
    ]


@pytest.fixture(scope="module")
def reference() -> Callable[[Path], tuple[list[Any], list[str]]]:
    """The document's own reader."""
    (source,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert "runcast" not in source
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102  # the project's own document
    return scope["read"]  # type: ignore[no-any-return]  # what the document defines


@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.iterdir() if p.is_dir()))
def test_the_reference_reader_reads_the_golden_journals(reference: Any, name: str) -> None:
    """The reader on the page finds the same records, and as many reports, as runcast's own."""
    folder = GOLDEN / name / "journal"
    if name == "needs-newer-reader":
        with pytest.raises(SystemExit, match="needs a reader of format 2"):
            reference(folder)
        return
    found, reports = reference(folder)
    reader = JournalReader(folder)
    expected = {(r.writer, r.seq) for r in reader.read()}
    unknown = sum(d.unknown for d in reader.damage)

    assert len(found) == len(expected) + unknown
    assert expected <= {(writer, seq) for writer, seq, _ in found}
    assert len(reports) == len(reader.damage) - unknown


def test_the_commands_print_what_the_page_shows() -> None:
    """Each jq line, run in the golden journal, gives the output below it."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    (block,) = re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL)
    examples = re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE)
    assert len(examples) > 4
    for command, output in examples:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],  # bash is wherever it is
            cwd=GOLDEN / "normal",
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert (done.stdout, done.stderr) == (output, ""), command

"""Journals written by the first version are read for ever, exactly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from runcast import codec
from runcast.errors import FormatError
from runcast.journal import JournalReader

GOLDEN = Path(__file__).parent.parent / "golden" / "v1"
DIGESTS = GOLDEN / "SHA256SUMS"
"""As ``sha256sum`` writes it; a new golden file gets a new line, an old line never changes."""


@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.iterdir() if p.is_dir()))
def test_a_golden_journal_is_read_as_it_was_written(name: str) -> None:
    """Records, writers, numbers, damage and gaps are what was noted when the file was made."""
    expected: dict[str, Any] = json.loads((GOLDEN / name / "expected.json").read_text())
    reader = JournalReader(GOLDEN / name / "journal", run="golden-run")
    if "refused" in expected:
        with pytest.raises(FormatError, match="pip install -U runcast"):
            reader.read()
        return
    records = []
    while batch := reader.read(most=3):
        records += batch

    found = [
        (r.writer, r.seq, json.loads(codec.encode(_bare(r)).decode("utf-8", "surrogatepass")))
        for r in records
    ]
    assert found == [(e["writer"], e["seq"], json.loads(e["record"])) for e in expected["records"]]
    assert sum(d.missing for d in reader.damage) == expected.get("missing", 0)
    assert sum(d.unknown for d in reader.damage) == expected.get("unknown", 0)
    ranges = [[d.start, d.end] for d in reader.damage if d.end and not d.unknown]
    assert ranges == expected.get("damage", [])


def _bare(record: Any) -> Any:
    fields = {f: getattr(record, f) for f in record.__struct_fields__ if f not in ("writer", "seq")}
    return type(record)(**fields)


def test_the_golden_files_never_change() -> None:
    """Every file has the digest that it had when it was made, and none is missing."""
    found = {
        str(path.relative_to(GOLDEN)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in GOLDEN.rglob("*")
        if path.is_file() and path != DIGESTS
    }

    assert found == {line[66:]: line[:64] for line in DIGESTS.read_text().splitlines()}

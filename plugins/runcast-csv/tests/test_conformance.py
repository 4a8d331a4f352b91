"""runcast's conformance kit for this backend; the files are read with Python's csv and json."""

from __future__ import annotations

import ast
import csv
import json
import math
from pathlib import Path
from typing import Any

from runcast.codec import unpack
from runcast.plugins import OpenRun
from runcast.testing import BackendContract, ReadBack
from runcast_csv import CsvBackend

STRANGE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class TestCsv(BackendContract):
    """The whole kit."""

    backend = CsvBackend

    def options(self, tmp_path: Path) -> dict[str, Any]:
        """A folder of its own."""
        return {"dir": "tables"}

    def read_back(self, run: OpenRun) -> ReadBack:
        """Both files, from the first line to the last."""
        folder = run.resolve("tables")
        seen = ReadBack(params={}, metrics={}, tags={}, note="", texts={}, status="running", parent="")
        with (folder / f"{run.id}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                value = STRANGE[row["value"]] if row["value"] in STRANGE else ast.literal_eval(row["value"])
                seen.metrics.setdefault(row["metric"], []).append(
                    (int(row["step"]), int(row["time_ns"]), value)
                )
        for line in (folder / f"{run.id}.jsonl").read_bytes().splitlines():
            _take(seen, {name: unpack(value) for name, value in json.loads(line).items()})
        return seen


def _take(seen: ReadBack, record: dict[str, Any]) -> None:
    if record["kind"] == "params":
        seen.params.update(record["values"])
    elif record["kind"] == "tags":
        seen.tags.update(record["values"])
    elif record["kind"] == "note":
        seen.note = record["text"]
    elif record["kind"] == "media" and record["type"] == "text":
        seen.texts.setdefault(record["key"], []).append((record["step"], record["text"]))
    elif record["kind"] == "run_started":
        seen.experiment, seen.name, seen.status = record["experiment"], record["name"], "running"
        seen.parent = record.get("parent") or ""
    elif record["kind"] == "run_finished":
        seen.status = record["status"]

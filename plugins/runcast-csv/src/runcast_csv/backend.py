"""Two files per run; exactly once, because ``run.state`` remembers how long each was when acknowledged."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from runcast import codec
from runcast.errors import Halt, Retry
from runcast.names import escape
from runcast.plugins import (
    Backend,
    Capabilities,
    Change,
    Description,
    Finding,
    OpenRun,
    Options,
    Receipt,
    Ref,
    mapped,
    native,
    notimpl,
)
from runcast.records import Artifact, Metrics, Record

HEADER = b"step,time_ns,metric,value\n"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 1000  # characters of a name
_JSON = "the JSON file"


class CsvOptions(Options):
    """Options of the csv backend."""

    dir: str = Field("csv-runs", description="folder of the files; relative to the project's", min_length=1)


class CsvBackend(Backend):
    """Appends; what was not acknowledged is cut off when the run is opened again."""

    name: ClassVar[str] = "csv"
    Options: ClassVar[type[Options]] = CsvOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        params=mapped(_JSON),
        typed_params=native(),
        long_values=native(),
        metrics=native(),
        float64=native(),
        int64=native("of any size"),
        nonfinite=native(),
        any_step=native(),
        metric_times=native("in ns"),
        run_times=mapped(_JSON),
        status=mapped(_JSON),
        tags=mapped(_JSON),
        notes=mapped(_JSON),
        text=mapped(_JSON),
        artifacts=notimpl("names and digests only; the files stay in runcast's folder"),
        nested=mapped("the parent's id in the JSON file"),
        any_name=mapped("control characters and lone surrogates are escaped"),
        exactly_once=native(),
    )

    description: ClassVar[Description] = Description(
        title="CSV files",
        hosting=frozenset({"self-hosted"}),
        needs=frozenset({"offline", "no-account", "no-server"}),
        strengths=("two files for each run, which every spreadsheet opens",),
        price_note="free software; files on a disk",
    )

    def open(self, run: OpenRun) -> Ref:
        """Make the files, or bring them back to their acknowledged lengths."""
        self._run = run
        folder = run.resolve(Path(self.options.dir).expanduser())
        self._csv, self._json = folder / f"{run.id}.csv", folder / f"{run.id}.jsonl"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._cut(self._csv, run.state.get("csv", 0))
            self._cut(self._json, run.state.get("json", 0))
            if not run.state:
                run.state.update(csv=_append(self._csv, HEADER), json=0)
        except OSError as error:
            raise Halt(f"csv: cannot write to {folder}: {error.strerror}; set another dir") from error
        return Ref(id=run.id, url=str(self._csv))

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Append the batch to both files; durable on return."""
        table, lines, changes = io.StringIO(newline=""), [], []
        writer = csv.writer(table, lineterminator="\n")
        for record in batch:
            if not isinstance(record, Metrics):
                lines.append(codec.encode(record) + b"\n")
                if isinstance(record, Artifact):
                    changes.append(Change("skipped", record.name, "its files are not copied"))
                continue
            for key, value in record.values.items():
                legal = escape(key, _UNPRINTABLE, _LONGEST)
                writer.writerow((record.step, record.time, legal, _spelled(value)))
                if legal != key:
                    changes.append(Change("renamed", key, legal))
        try:
            lengths = {
                "csv": _append(self._csv, table.getvalue().encode()),
                "json": _append(self._json, b"".join(lines)),
            }
        except OSError as error:
            raise Retry(f"csv: cannot write {self._csv}: {error.strerror}; free space") from error
        self._run.state.update(lengths)
        return Receipt(changes)

    @classmethod
    def diagnose(cls, options: CsvOptions) -> list[Finding]:
        """Whether the folder, or the first one above it that exists, can be written."""
        folder = Path(options.dir).expanduser().absolute()
        standing = next(path for path in (folder, *folder.parents) if path.exists())
        ok = os.access(standing, os.W_OK | os.X_OK)
        mend = "" if ok else f"give yourself the right to write to {standing}, or set another dir"
        return [Finding(ok=ok, what=f"folder {folder} is {'' if ok else 'not '}writable", mend=mend)]

    @staticmethod
    def _cut(path: Path, length: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < length:
                raise Halt(f"csv: {path} is shorter than what was written; put the whole file back")
            os.ftruncate(descriptor, length)
        finally:
            os.close(descriptor)


def _spelled(value: bool | int | float) -> str:
    """Exactly; `hex` where Python refuses so many decimal digits."""
    if isinstance(value, int) and value.bit_length() > 10_000:
        return hex(value)
    return repr(value)


def _append(path: Path, data: bytes) -> int:
    """The file's length with `data` at its end and on the disk."""
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()

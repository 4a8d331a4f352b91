"""Runs that runcast's backend wrote: what was said, and over it what a person changed in W&B since."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from runcast import codec
from runcast.backends.wandb import spelling
from runcast.backends.wandb.rows import TIMES
from runcast.journal import Blobs
from runcast.records import (
    Artifact,
    Input,
    Lost,
    Media,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
)
from runcast.sources.wandb.about import Held, Missing, Row, Run
from runcast.sources.wandb.contents import put, put_held
from runcast.sources.wandb.plain import Plain
from runcast.sources.wandb.rows import Said

_BAD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_GENERATED = "run_table"


class _Line(msgspec.Struct):
    """One line of the residual."""

    rows: int = 0
    at: dict[str, str] = {}
    artifact: list[str] = []
    record: msgspec.Raw = msgspec.Raw(b"")
    name: list[str] = []
    wrote: dict[str, str] = {}


class Own:
    """A run with a residual.

    Args:
        run: as W&B has it.
        residual: the residual file.
        blobs: take contents.
    """

    def __init__(self, run: Run, residual: Path, blobs: Blobs) -> None:
        self._run, self._about, self._blobs = run, run.about, blobs
        self._residual = residual
        self._wrote: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._params: dict[str, Any] = {}
        self._tags: dict[str, str] = {}
        self._note: str | None = None
        self._known: set[str] = set()
        self._damaged = 0
        self._held: dict[str, Held] = {}
        self._time = run.about.started

    def records(self) -> Iterator[Record]:
        """Everything that was said; edits before the end."""
        for line in self._lines():
            with contextlib.suppress(*_BAD):  # `_said` meets it again, and counts it
                self._look(line)
        last: RunFinished | None = None
        edits = list(self._edits())
        for record in self._merged():
            if last is not None:
                yield last
                last = None
            if isinstance(record, RunFinished):
                last = record
            else:
                yield record
        yield from (msgspec.structs.replace(edit, time=self._time) for edit in edits)
        if self._damaged:
            reason = "lines of files/runcast/residual.jsonl that cannot be read: put the whole file back"
            yield Lost(time=self._time, key="", reason=reason, count=self._damaged)
        if last is None and self._about.status != "running":
            last = RunFinished(time=self._about.ended or self._time, status=self._about.status)
        if last is not None:
            yield last

    def _lines(self) -> Iterator[_Line]:
        self._damaged = 0
        with self._residual.open("rb") as stream:
            for raw in stream:
                try:
                    line = _line(raw)
                    if len(line.name) not in (0, 2):
                        raise ValueError(line.name)
                    yield line
                except _BAD:
                    # The last one may be in the making.
                    self._damaged += raw.endswith(b"\n") or self._about.status != "running"

    def _look(self, line: _Line) -> None:
        if line.name:
            self._names[line.name[0]] = line.name[1]
        elif line.wrote:
            self._wrote = line.wrote
        elif line.artifact:
            self._known.update(line.artifact[:1])
            self._known.add("\0".join(line.artifact[1:]))
        elif b'"kind":"system"' not in bytes(line.record)[:40]:
            record = _record(line)
            if isinstance(record, Params):
                self._params |= record.values
            elif isinstance(record, Tags):
                self._tags |= record.values
            elif isinstance(record, Note):
                self._note = record.text

    def _merged(self) -> Iterator[Record]:
        """Rows and the residual's records, in the order in which they were said."""
        said = Said(_texts(self._about.own.get("axes")), self._names)
        foreign = Plain(self._run, self._blobs, said)
        lines = (line for line in self._lines() if not line.name and not line.wrote)
        line = next(lines, None)
        rows = 0
        waiting: list[Record] = []
        for event in self._run.events():
            if isinstance(event, Row) and TIMES in event.values:
                rows += 1
                while line is not None and line.rows < rows:
                    waiting += self._said(line)
                    line = next(lines, None)
                yield from self._ready(waiting)
                try:
                    for metrics in said.metrics(event.values):
                        self._time = max(self._time, metrics.time)
                        yield metrics
                except _BAD as error:
                    yield Lost(time=self._time, key="", reason=f"a row that cannot be understood: {error}")
            elif isinstance(event, Held):
                self._held[event.client_id or f"{event.name}\0{event.digest}"] = event
                self._held[f"{event.name}\0{event.digest}"] = event
                if not self._is_known(event):
                    yield from foreign.take(event)
            elif isinstance(event, Missing) or (isinstance(event, Row) and TIMES not in event.values):
                yield from foreign.take(event)
            elif isinstance(event, System):
                continue  # the residual has it as it was said
        while line is not None:
            waiting += self._said(line)
            line = next(lines, None)
        yield from self._ready(waiting)

    def _ready(self, waiting: list[Record]) -> Iterator[Record]:
        for record in waiting:
            self._time = max(self._time, record.time)
            yield record
        waiting.clear()

    def _is_known(self, held: Held) -> bool:
        return held.type == _GENERATED or not self._known.isdisjoint(
            {held.client_id, f"{held.name}\0{held.digest}"}
        )

    def _said(self, line: _Line) -> Iterator[Record]:
        try:
            record = _record(line)
        except _BAD:
            self._damaged += 1
            return
        if isinstance(record, RunStarted):
            yield self._started(record)
        elif isinstance(record, (Artifact, Model, Input)):
            yield from self._files_of(record, line)
            if (held := self._held_of(line)) is not None:
                record = msgspec.structs.replace(record, origin=held.origin(record.origin))
            if isinstance(record, Input) and record.run:
                record = msgspec.structs.replace(record, run=spelling.run_id(record.run))
            yield record
        elif isinstance(record, Params):
            yield from self._kept(record, self._gone_params())
        elif isinstance(record, Tags):
            yield from self._kept(record, self._gone_tags())
        else:
            files = record.contents if isinstance(record, Media) else getattr(record, "files", ())
            for file in files:
                place = self._run.files.get(line.at.get(file.sha256, ""))
                yield from put(self._blobs, file, place, record.time, "the run's files")
            yield record

    def _started(self, record: RunStarted) -> RunStarted:
        about, wrote = self._about, self._wrote
        changes: dict[str, Any] = {
            "run": "",
            "parent": str(about.own["parent"]) if about.own.get("parent") else None,
            "origin": {
                "tracker": "wandb", "id": about.id, "url": about.url,
                "extra": {**about.extra, **({"origin": record.origin} if record.origin else {})},
            },
        }  # fmt: skip
        for name, native in (
            ("name", about.name), ("group", about.group), ("job_type", about.job_type),
            ("experiment", about.project),
        ):  # fmt: skip
            written = wrote.get("project" if name == "experiment" else name)
            if written is not None and native != written:
                changes[name] = native
        return msgspec.structs.replace(record, **changes)

    def _held_of(self, line: _Line) -> Held | None:
        if not line.artifact:
            return None
        return self._held.get(line.artifact[0]) or self._held.get("\0".join(line.artifact[1:]))

    def _files_of(self, record: Artifact | Model | Input, line: _Line) -> Iterator[Record]:
        stored = [file for file in record.files if not file.uri]
        held = self._held_of(line)
        if held is None:
            if stored and not isinstance(record, Input):
                reason = "its files are not in W&B (any more)"
                yield Lost(time=record.time, key=record.name, reason=reason, count=len(stored))
            return
        inside = {file.path: file for file in held.files()}
        for file in stored:
            found = inside.get(spelling.prose(file.path))
            if found is None and isinstance(record, Input):
                continue  # W&B never had them
            yield from put_held(self._blobs, file, found, record.time, record.name)

    # What a person changed.

    def _native_params(self) -> dict[str, Any]:
        names = self._names
        return {
            names.get(key, key): value
            for key, value in self._about.config.items()
            if key not in ("runcast", "_wandb", "wandb_version")
        }

    def _gone_params(self) -> set[str]:
        if not self._about.from_server:
            return set()
        gone = self._params.keys() - self._native_params().keys()
        return {name for name in gone if _bare(self._params[name]) != {}}  # W&B drops empty dicts

    def _gone_tags(self) -> set[str]:
        if not self._about.from_server:
            return set()
        there = set(self._about.tags)
        spelled = {name: spelling.tag(name, value) for name, value in self._tags.items()}
        return {name for name, tag in spelled.items() if tag and tag not in there}

    def _kept(self, record: Params | Tags, gone: set[str]) -> Iterator[Record]:
        if gone.isdisjoint(record.values):
            yield record
        elif values := {name: value for name, value in record.values.items() if name not in gone}:
            yield msgspec.structs.replace(record, values=values)

    def _edits(self) -> Iterator[Record]:
        params = {
            name: value
            for name, value in self._native_params().items()
            if name not in self._params or not _same(spelling.setting(self._params[name])[0], value)
        }
        if params:
            yield Params(time=0, values=params)
        said = {spelling.tag(name, value) for name, value in self._tags.items()}
        tags: dict[str, str] = {}
        for tag in self._about.tags:
            if tag not in said:
                name, colon, value = tag.partition(":")
                tags |= {name: value} if colon and name in self._tags else {tag: ""}
        if tags:
            yield Tags(time=0, values=tags)
        notes = self._about.notes
        if notes != spelling.prose(self._note or "") and (notes or self._about.from_server):
            yield Note(time=0, text=notes)


def _line(raw: bytes) -> _Line:
    try:
        return msgspec.json.decode(raw, type=_Line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # lone surrogates
        plain = json.loads(raw)
        record = json.dumps(plain.pop("record")).encode() if "record" in plain else b""
        line = msgspec.convert(plain, _Line)
        line.record = msgspec.Raw(record)
        return line


def _record(line: _Line) -> Record:
    return codec.decode(bytes(line.record))


def _same(written: Any, native: Any) -> bool:
    """A server makes 6 of 6.0, and that is no edit."""
    if isinstance(written, dict) and isinstance(native, dict):
        written, native = _bare(written), _bare(native)
        return written.keys() == native.keys() and all(_same(written[k], native[k]) for k in written)
    if isinstance(written, list) and isinstance(native, list):
        return len(written) == len(native) and all(map(_same, written, native))
    return bool(written == native)


def _bare(value: Any) -> Any:
    """A value without the empty dicts in it."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in ((k, _bare(v)) for k, v in value.items()) if inner != {}}


def _texts(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}

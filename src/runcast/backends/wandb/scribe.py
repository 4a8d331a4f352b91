"""From runcast's records to W&B's: one method per kind."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from runcast.backends.wandb import artifacts, spelling
from runcast.backends.wandb.logfile import PRODUCER, private_folder
from runcast.backends.wandb.transcript import Transcript
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import (
    Artifact,
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Tags,
)  # fmt: skip

TEXT_LIMIT = 100_000
"""Characters of JSON above which a text goes into a file: W&B's client skips rows above 10 MiB."""


class Scribe:
    """Writes one run's records down.

    Args:
        run: the run, with the memory in its ``state``.
        where: the run as W&B is to know it.
    """

    def __init__(self, run: OpenRun, where: wandb_log.Run) -> None:
        self.where = where
        self.transcript = Transcript(run.state, where.start_ns)
        self._run = run
        self._state = run.state
        self._methods: dict[type, Callable[[Any], list[Change]]] = {
            RunStarted: self._started, Params: self._params, Metrics: self._metrics, Tags: self._tags,
            Note: self._note, Media: self._media, Artifact: self._artifact, RunFinished: self._finished,
            Lost: self._lost,
        }  # fmt: skip

    def begin(self) -> None:
        """The log's first two records."""
        self.transcript.say(wandb_log.Header(producer=PRODUCER))
        self._say_run()
        if self._run.started.parent:
            parent = self._run.parent.id if self._run.parent else self._run.started.parent
            self.transcript.note({"parent": spelling.prose(parent)})

    def take(self, record: Record) -> list[Change]:
        """Write a record down; what W&B gets in another form comes back."""
        if not isinstance(record, RunFinished):
            self.transcript.reopen()
        return self._methods[type(record)](record)

    def settle(self) -> None:
        """End the run again, where only something late, from a forked worker say, took the end back."""
        if self._state["tail"] is None and self._state.get("end") and not self._state.get("began"):
            self.transcript.finish(*self._state["end"])

    def forget(self) -> None:
        """Drop what was made and not written."""
        self.transcript.take()

    def _say_run(self) -> None:
        tags = list(dict.fromkeys(tag for tag in self._state["tags"].values() if tag))
        notes = self._state.get("note", "")
        self.transcript.say(msgspec.structs.replace(self.where, tags=tags, notes=notes))

    def _started(self, record: RunStarted) -> list[Change]:
        # Who logs to the run and has not had the last word; a resumed run has only its new process.
        others = [] if record.resumed else self._state.get("began", [])
        self._state["began"] = [w for w in others if w != record.writer] + [record.writer]
        spelled = {"run": (self._run.id, self.where.run_id)}
        if self.where.project == spelling.project(record.experiment):
            spelled["project"] = (record.experiment, self.where.project)
        return [
            Change(what="renamed", key=said, detail=f"{legal} ({slot})")
            for slot, (said, legal) in spelled.items()
            if said != legal
        ]

    def _params(self, record: Params) -> list[Change]:
        values: dict[str, Any] = {}
        changes: list[Change] = []
        for name, value in record.values.items():
            key, renamed = self.transcript.key(name)
            values[key], changed = spelling.setting(value)
            changes += renamed
            if changed:
                detail = "NaN, infinities and integers beyond 64 bits are text in W&B's config"
                changes.append(Change(what="degraded", key=name, detail=detail))
        if values:
            self.transcript.configure(values)
        return changes

    def _metrics(self, record: Metrics) -> list[Change]:
        values: dict[str, str] = {}
        changes: list[Change] = []
        for name, value in record.values.items():
            key, renamed = self.transcript.key(name)
            values[key], loss = spelling.number(value)
            if renamed:
                changes += renamed
            if loss:
                changes.append(Change(what="degraded", key=name, detail=loss))
        if values:
            self.transcript.rows.add(record.step, record.time, values)
        return changes

    def _tags(self, record: Tags) -> list[Change]:
        long: dict[str, str] = {}
        for name, value in record.values.items():
            tag = spelling.tag(name, value)
            self._state["tags"][json.dumps(name)] = tag
            if tag is None:
                long[name] = value
        if long:
            kept = {spelling.prose(name): spelling.prose(value) for name, value in long.items()}
            self.transcript.note({"tags": kept})
        self._say_run()
        detail = f"no W&B tag of 1 to {spelling.TAG_LIMIT} characters: kept in config runcast.tags"
        return [Change(what="degraded", key=name, detail=detail) for name in long]

    def _note(self, record: Note) -> list[Change]:
        self._state["note"] = spelling.prose(record.text)
        self._say_run()
        return []

    def _media(self, record: Media) -> list[Change]:
        if record.type != "text" or record.text is None:
            return [
                Change(what="skipped", key=record.key, detail=f"{record.type} is not delivered to W&B yet")
            ]
        key, changes = self.transcript.key(record.key)
        text = json.dumps(spelling.prose(record.text))
        if len(text) > TEXT_LIMIT:
            path = self._spill(record.text)
            text = json.dumps(path)
            changes.append(Change(what="spilled", key=record.key, detail=f"files/{path}"))
        self.transcript.rows.add(record.step, record.time, {key: text})
        return changes

    def _spill(self, text: str) -> str:
        content = text.encode("utf-8", "backslashreplace")
        path = f"runcast/text/{hashlib.sha256(content).hexdigest()}.txt"
        target = Path(self._state["folder"]) / "files" / path
        private_folder(target.parent)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        self.transcript.say(wandb_log.Files(paths=[path]))
        return path

    def _artifact(self, record: Artifact) -> list[Change]:
        made, changes = artifacts.entry(record, self._run, self.where)
        self.transcript.say(made)
        return changes

    def _finished(self, record: RunFinished) -> list[Change]:
        self._state["end"] = [record.status, record.error, record.time]
        self._state["began"] = [w for w in self._state.get("began", []) if w != (record.of or record.writer)]
        self.transcript.finish(record.status, record.error, record.time)
        return []

    def _lost(self, record: Lost) -> list[Change]:
        self._state["lost"] += record.count
        return []

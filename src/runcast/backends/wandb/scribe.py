"""From runcast's records to W&B's: one method per kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import msgspec

from runcast.backends.wandb import artifacts, environment, lineage, media, residual, spelling, traces
from runcast.backends.wandb.logfile import PRODUCER
from runcast.backends.wandb.media import tables
from runcast.backends.wandb.media.place import Place
from runcast.backends.wandb.runfiles import store
from runcast.backends.wandb.summaries import Summaries
from runcast.backends.wandb.transcript import Transcript
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
    Trace,
)  # fmt: skip

TEXT_LIMIT = 100_000
"""Characters of JSON above which a text goes into a file: W&B's client skips rows above 10 MiB."""

TOGETHER = 500
"""Records that are made into rows at once: more would not stay in the processor's cache."""


class Scribe:
    """Writes one run's records down.

    Args:
        run: the run, with the memory in its ``state``.
        where: the run as W&B is to know it.
    """

    def __init__(self, run: OpenRun, where: wandb_log.Run) -> None:
        self.where = where
        self.residual = residual.Residual(run.state)
        self.transcript = Transcript(run.state, where.start_ns, self.residual)
        self._facts: dict[str, Any] = {}
        self._run = run
        self._state = run.state
        self._summaries = Summaries(run.state)
        self._spans = traces.Spans(run.folder / "traces.jsonl", run.state)
        self._methods: dict[type, Callable[[Any], list[Change]]] = {
            RunStarted: self._started, Params: self._params, Metrics: self._metrics, Tags: self._tags,
            Note: self._note, Media: self._media, Artifact: self._artifact, RunFinished: self._finished,
            Lost: self._lost, Define: self._define, System: self._system, Model: self._model,
            Input: self._input, Environment: self._environment, Trace: self._trace,
        }  # fmt: skip

    def begin(self) -> None:
        """The log's first two records."""
        self.transcript.say(wandb_log.Header(producer=PRODUCER))
        self._say_run()
        where = {"project": self.where.project, "name": self.where.name, "group": self.where.group,
                 "job_type": self.where.job_type}  # fmt: skip
        started = self._run.started
        said = {"run": self._run.id, "experiment": started.experiment, "said": started.name}
        self.residual.say(wrote={**said, **where})
        self.transcript.say(wandb_log.Files(paths=[residual.PATH]))
        if self._run.started.parent:
            parent = self._run.parent.id if self._run.parent else self._run.started.parent
            self.transcript.note({"parent": spelling.prose(parent)})

    def take(self, records: Sequence[Record]) -> list[Change]:
        """Write records down; what W&B gets in another form comes back."""
        changes: list[Change] = []
        for is_metrics, some in groupby(records, lambda record: type(record) is Metrics):
            if is_metrics:
                while metrics := list(islice(some, TOGETHER)):
                    changes += self._take_metrics(metrics)
            else:
                for record in some:
                    changes += self._take(record)
        return changes

    def _take(self, record: Record) -> list[Change]:
        if not isinstance(record, RunFinished):
            self.transcript.reopen()
        changes = self._methods[type(record)](record)
        if not isinstance(record, Metrics):
            self.residual.keep(record, self.transcript.rows.count, self._facts)
            self._facts = {}
        return changes

    def _take_metrics(self, records: Sequence[Any]) -> list[Change]:
        """`_take` of each of many records, which is the same to W&B, and faster."""
        records = [record for record in records if record.values]
        names = set(chain.from_iterable(record.values for record in records))
        texts = spelling.numbers(list(chain.from_iterable(record.values.values() for record in records)))
        if texts is None or any(spelling.key(name) != name for name in names):
            return [change for record in records for change in self._take(record)]
        self.transcript.reopen()
        for record in records if self._summaries.wanted else ():
            self._summaries.take(record.step, record.values)
        self.transcript.rows.extend(records, texts)
        return []

    def settle(self) -> None:
        """End the run again, where only something late, from a forked worker say, took the end back."""
        if self._state["tail"] is None and self._state.get("end") and not self._state.get("began"):
            status, error, time = self._state["end"]
            self.transcript.finish(status, error, time, self._last_words)

    def forget(self) -> None:
        """Drop what was made and not written."""
        self.transcript.take()
        self.residual.forget()

    def _say_run(self) -> None:
        tags = list(dict.fromkeys(tag for tag in self._state["tags"].values() if tag))
        notes = self._state.get("note", "")
        self.transcript.say(msgspec.structs.replace(self.where, tags=tags, notes=notes))

    def _started(self, record: RunStarted) -> list[Change]:
        # Who logs to the run and has not had the last word; a resumed run has only its new process.
        others = [] if record.resumed else self._state.get("began", [])
        self._state["began"] = [w for w in others if w != record.writer] + [record.writer]
        if record.origin:
            self.transcript.note({"origin": spelling.setting(record.origin)[0]})
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
        """Numbers, of which W&B may take one in another form, or its name in another spelling."""
        values: dict[str, bytes] = {}
        exact: dict[str, str] = {}
        changes: list[Change] = []
        for name, value in record.values.items():
            key, renamed = self.transcript.key(name)
            text, loss = spelling.number(value)
            values[key] = text.encode()
            changes += renamed
            if loss:
                exact[key] = hex(int(value))
                changes.append(Change(what="degraded", key=name, detail=loss))
            elif spelling.is_whole(values[key]):
                exact[key] = text
        if values:
            self._summaries.take(record.step, record.values)
            self.transcript.rows.add(record.step, record.time, values, exact)
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
        key, changes = self.transcript.key(record.key)
        place = Place(record, key, self._run, self.where, self.transcript)
        values = self._text(place) if record.type == "text" else media.show(place)
        place.metadata_aside()
        self._facts = {"at": {file.sha256: place.place_of(file) for file in record.contents}}
        cells = {key: text.encode() for key, text in {**values, **place.columns}.items()}
        self.transcript.rows.add(record.step, record.time, cells)
        return changes + place.changes

    def _text(self, place: Place) -> dict[str, str]:
        said = place.record.text
        if said is None:
            said = place.source(place.record.contents[0]).read_text("utf-8", "replace")
        place.caption_aside()
        text = json.dumps(spelling.prose(said))
        if len(text) > TEXT_LIMIT:
            content = said.encode("utf-8", "backslashreplace")
            path = f"runcast/text/{hashlib.sha256(content).hexdigest()}.txt"
            self._store(path, content)
            text = json.dumps(path)
            place.lesser(f"files/{path}", "spilled")
        return {place.key: text}

    def _store(self, path: str, content: bytes | Path) -> None:
        store(Path(self._state["folder"]) / "files" / path, content)
        self.transcript.say(wandb_log.Files(paths=[path], now=True))

    def _artifact(self, record: Artifact) -> list[Change]:
        made, changes = artifacts.entry(record, self._run, self.where)
        self._hold(made)
        return changes

    def _hold(self, made: wandb_log.Artifact) -> None:
        self.transcript.say(made)
        self._facts = {"artifact": [made.client_id, made.name, made.digest]}

    def _model(self, record: Model) -> list[Change]:
        made, changes = lineage.model(record, self._run, self.where, self._store)
        self._hold(made)
        if record.register_as is None:
            return changes
        collection = spelling.artifact(record.register_as)
        if collection != record.register_as:
            changes.append(Change(what="renamed", key=record.register_as, detail=f"{collection} (registry)"))
        aliases = [spelling.alias(alias) for alias in record.aliases]
        wanted = {"client_id": made.client_id, "collection": collection, "aliases": aliases}
        self.transcript.note({"register": {made.name: collection}})
        if self._state.get("mode") == "online":
            self._state.setdefault("links", []).append({**wanted, "name": record.name})
            return changes
        detail = f"not registered as {collection}: only an online run is; link it after `wandb sync`"
        return [*changes, Change(what="degraded", key=record.name, detail=detail)]

    def _input(self, record: Input) -> list[Change]:
        made, changes = lineage.used(record, self._run, self.where)
        self._hold(made)
        about = {
            "context": record.context, "alias": record.alias, "run": record.run, "version": record.version,
            "digest": record.digest,
        }  # fmt: skip
        facts = {name: spelling.prose(value) for name, value in about.items() if value}
        self.transcript.note({"inputs": {made.name: facts}})
        return changes

    def _environment(self, record: Environment) -> list[Change]:
        values = dict(record.values)
        files = {file.path: file for file in record.files}
        self._facts = {"at": {file.sha256: self._surroundings(file) for file in record.files}}
        if "requirements.txt" not in files and (lines := environment.requirements(values)):
            self._store("requirements.txt", lines)
        made = environment.metadata(record, self._run.started)
        for name in ("args", "gpus"):  # W&B would add a second list to the first
            if name in self._state.get("listed", []):
                made = msgspec.structs.replace(made, **{name: []})
            elif getattr(made, name):
                self._state.setdefault("listed", []).append(name)
        self.transcript.say(made)
        values.pop("packages", None)
        self.transcript.note({"environment": spelling.setting(values)[0]})
        return []

    def _surroundings(self, file: FileRef) -> str:
        """Keep a file of the environment; a later one of its name does not take the place of its content."""
        blob = self._run.blob(file)
        if file.path in environment.OWN_FILES:
            self._store(file.path, blob)
        path = f"{environment.OTHER_FILES}/{file.sha256[:20]}/{spelling.path(file.path)}"
        self._store(path, blob)
        return path

    def _system(self, record: System) -> list[Change]:
        made = environment.stats(record)
        if made.values:
            self.transcript.say(made)
        lost = [name for name, value in record.values.items() if not environment.is_shown(value)]
        detail = "W&B's system metrics take finite numbers only"
        return [Change(what="skipped", key=name, detail=detail) for name in lost]

    def _define(self, record: Define) -> list[Change]:
        self._summaries.define(record)
        key, changes = self.transcript.key(record.key)
        is_glob = "*" in key
        if is_glob and "*" in key[:-1]:
            detail = "W&B takes a * at the end only: summed up all the same, but not defined there"
            return [*changes, Change(what="degraded", key=record.key, detail=detail)]
        summary = [name for name in record.summary if name in wandb_log.SUMMARIES]
        escaped = key.replace(".", "\\.")
        name, glob = ("", escaped) if is_glob else (escaped, "")
        self.transcript.say(wandb_log.Metric(name=name, glob=glob, summary=summary, goal=record.goal or ""))
        return changes

    def _trace(self, record: Trace) -> list[Change]:
        self._spans.add(record)
        detail = f"its spans are rows of the table {traces.KEY}, made at the run's end"
        return [Change(what="degraded", key=traces.KEY, detail=detail)]

    def _finished(self, record: RunFinished) -> list[Change]:
        self._state["end"] = [record.status, record.error, record.time]
        self._state["began"] = [w for w in self._state.get("began", []) if w != (record.of or record.writer)]
        self.transcript.finish(record.status, record.error, record.time, self._last_words)
        return []

    def _last_words(self) -> dict[str, Any]:
        """What the summary has beside last values; the table of spans is written."""
        shown = {name: self._summaries.shown(name) for name in self._summaries.names}
        values: dict[str, Any] = {spelling.key(name): sums for name, sums in shown.items() if sums}
        if rows := self._spans.rows():
            # The length stands for the record's number: it is another version once there are more spans.
            said = Media(time=0, seq=self._state["traces"], key=traces.KEY, step=0, type="table")
            place = Place(said, traces.KEY, self._run, self.where, self.transcript)
            values[traces.KEY] = tables.value(place, traces.COLUMNS, rows)
        return values

    def _lost(self, record: Lost) -> list[Change]:
        self._state["lost"] += record.count
        return []

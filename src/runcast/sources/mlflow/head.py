"""The first and last records of a run, its settings and labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runcast.backends.mlflow import names
from runcast.backends.mlflow.compose import STATUS
from runcast.backends.mlflow.plan import NOTE
from runcast.backends.mlflow.runs import RUN_ID
from runcast.backends.mlflow.runs import line as one_line
from runcast.records import (
    Environment,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Status,
    Tags,
)  # fmt: skip
from runcast.sources.mlflow.said import Said, is_own
from runcast.sources.mlflow.stored import StoredRun

MS = 1_000_000
PARENT = "mlflow.parentRunId"
_USER, _NAME = "mlflow.user", "mlflow.runName"
_SLOTS = {_USER, _NAME, PARENT, NOTE}
_SOURCE = {
    "mlflow.source.name": ("command", "script"),
    "mlflow.source.type": ("source", "type"),
    "mlflow.source.git.commit": ("git", "commit"),
    "mlflow.source.git.branch": ("git", "branch"),
    "mlflow.source.git.repoURL": ("git", "remote"),
}
_MADE = {*_SOURCE, "mlflow.loggedImages", "mlflow.loggedArtifacts", "mlflow.modelVersions"}
"""Tags that runcast's backend sets by itself."""
_WORDS: dict[str, Status] = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "killed"}


def status(run: StoredRun) -> Status:
    """Runcast's word for MLflow's."""
    said = run.tags.get("runcast.status", "")
    if said in STATUS and STATUS[said] == run.status:
        return said  # type: ignore[return-value]  # keys of STATUS are words of Status
    return _WORDS.get(run.status, "running")


def started(run: StoredRun, said: Said, url: str) -> list[RunStarted]:
    """How the run began, and began again."""
    extra: dict[str, Any] = {"experiment_id": run.experiment_id, "artifacts": run.files}
    parent = run.tags.get(PARENT)
    if not said.whole:
        return [
            _native_start(run, said, parent, {"tracker": "mlflow", "id": run.id, "url": url, "extra": extra})
        ]
    heads = [fact for fact in said.heads if fact["kind"] == "start"]
    first = heads[0]
    # What was changed in MLflow since wins over what was said.
    changed: dict[str, Any] = {}
    if run.experiment != names.experiment(first["experiment"]):
        changed["experiment"] = run.experiment
    if run.name != names.run_name(first["name"]):
        changed["name"] = run.name
    if run.tags.get(_USER) != one_line(first["user"]):
        changed["user"] = run.tags.get(_USER)
    if first.get("origin"):
        extra["origin"] = first["origin"]
    origin = {"tracker": "mlflow", "id": run.id, "url": url, "extra": extra}
    return [
        RunStarted(
            run="", parent=parent, origin=origin,
            **{**{k: v for k, v in fact.items() if k not in ("kind", "origin")}, **changed},
        )
        for fact in heads
    ]  # fmt: skip


def _native_start(run: StoredRun, said: Said, parent: str | None, origin: dict[str, Any]) -> RunStarted:
    tags = run.tags
    start = (run.start or 0) * MS
    name, experiment = run.name or tags.get(_NAME) or run.id, run.experiment
    if RUN_ID in tags:  # written by runcast, and still going on
        exact = int(tags.get("runcast.start_ns") or start)
        start = exact if exact // MS == run.start else start
        name, experiment = said.name(name), said.name(experiment)
    return RunStarted(
        time=start, run="", experiment=experiment, name=name, parent=parent,
        user=tags.get(_USER) or run.user or None, group=tags.get("runcast.group"),
        job_type=tags.get("runcast.job_type"), host=tags.get("runcast.host"), origin=origin,
    )  # fmt: skip


def finished(run: StoredRun, said: Said) -> list[RunFinished]:
    """Every end; the last one is the run's, if it has one. MLflow's wins where somebody changed it."""
    word = status(run)
    end = (run.end or run.start or 0) * MS
    native = (
        [] if word == "running" else [RunFinished(time=end, status=word, error=run.tags.get("runcast.error"))]
    )
    ends = [fact for fact in said.heads if fact["kind"] == "finish"]
    if not said.whole or not ends:
        return native
    known = [RunFinished(time=f["time"], status=f["status"], error=f["error"]) for f in ends]
    last = known[-1]
    expected = STATUS[last.status], max(1, last.time // MS)
    if said.heads[-1]["kind"] == "start":
        return [*known, *native]
    if (run.status, run.end) != expected:
        return [*known[:-1], *native]
    return known


def settings(run: StoredRun, params: dict[str, str], said: Said, time: int) -> Iterator[Record]:
    """Params, tags, the note, and what MLflow's tags tell of the environment."""
    ours = RUN_ID in run.tags
    if params:
        yield Params(time=time, values=dict(_param(run, said, *pair, ours) for pair in params.items()))
    labels = dict(_labels(run, said, ours))
    if labels:
        yield Tags(time=time, values=labels)
    if (note := run.tags.get(NOTE)) is not None:
        text = said.text("note", "note", note) if ours else note
        if text or not ours:
            yield Note(time=time, text=text)
    if not ours and (values := _environment(run.tags)):
        yield Environment(time=time, values=values)


def _param(run: StoredRun, said: Said, native: str, text: str, ours: bool) -> tuple[str, Any]:
    if not ours:
        return native, text
    key = said.name(native)
    return key, said.param(key, text, run.tags.get(names.conflict_tag(native)))


def _labels(run: StoredRun, said: Said, ours: bool) -> Iterator[tuple[str, str]]:
    for native, text in run.tags.items():
        if native in _SLOTS or (native in _SOURCE and not ours):
            continue
        if not ours:
            yield native, text
        elif not is_own(native):
            key = said.name(native)
            if native not in _MADE:
                yield key, said.text("tag", key, text)
            elif said.was_said(key):
                yield key, said.last_said(key)


def _environment(tags: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for tag, (group, field) in _SOURCE.items():
        if text := tags.get(tag):
            values.setdefault(group, {})[field] = text
    return values


def tables(tags: dict[str, str]) -> list[str]:
    """Places of the tables that ``log_table`` wrote."""
    try:
        listed = json.loads(tags.get("mlflow.loggedArtifacts", "[]"))
        return [str(item["path"]) for item in listed if item.get("type") == "table"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # somebody edited the tag

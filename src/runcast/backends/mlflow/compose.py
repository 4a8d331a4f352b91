"""From records to a `Plan`: one branch per kind of record."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from runcast.backends.mlflow import names, system
from runcast.backends.mlflow.plan import Plan, add_note, add_params, add_tags, printable
from runcast.backends.mlflow.points import Points
from runcast.backends.mlflow.residual import line
from runcast.backends.mlflow.rows import Rows
from runcast.backends.mlflow.sender import Cursor
from runcast.backends.mlflow.summaries import Summaries
from runcast.records import (
    Define,
    Lost,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
)  # fmt: skip

STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED", "crashed": "FAILED"}
_ERROR_LIMIT = 2000


class Composer:
    """Composes plans for one run."""

    def __init__(
        self,
        points: Points,
        start: int,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        named: Container[str],
        rows: Rows,
    ) -> None:
        """
        Args:
            points: turns metrics into points.
            start: ns since 1970 when the run began.
            params, tags: what MLflow has, kept up to date by the owner.
            named: native names whose renaming is on record, kept up to date by the owner.
            rows: makes the lines of what was said at each step.
        """
        self._points, self._start, self._rows = points, start, rows
        self._params, self._tags, self._named = params, tags, named

    def compose(
        self, batch: Sequence[Record], cursor: Cursor, summaries: dict[str, Any] | None = None
    ) -> Plan:
        """What a batch asks of MLflow; without the points that `cursor` covers.

        Args:
            batch: records.
            cursor: what MLflow has of the metrics.
            summaries: of metrics, before this batch.

        Raises:
            Reject: a metric's step is no int64.
        """
        plan, summed = Plan(named=self._named), Summaries(summaries)
        for record in batch:
            plan.marks.append((len(plan.metrics), record.writer, record.seq))
            if isinstance(record, (Metrics, System)):
                self._measure(plan, summed, record)
                if cursor.covers(record):
                    # The residual's lines are still wanted: they may have been lost with the crash.
                    del plan.metrics[plan.marks[-1][0] :]
            elif isinstance(record, Define):
                summed.define(record)
                plan.lines.append(_define(record))
            else:
                self._add(plan, record)
        plan.summaries = summed.dump()
        if plan.ending is not None:
            plan.tags.update(summed.tags())
        return plan

    def _measure(self, plan: Plan, summed: Summaries, record: Metrics | System) -> None:
        if isinstance(record, System):
            points = system.as_metrics(record, self._start)
        else:
            points = record
            summed.take(record)
        self._points.add(plan, points)
        plan.rows.append(self._rows.line(record, points))

    def _add(self, plan: Plan, record: Record) -> None:
        if isinstance(record, Params):
            add_params(plan, record.values, self._params, self._tags)
        elif isinstance(record, Tags):
            add_tags(plan, record.values)
        elif isinstance(record, Note):
            add_note(plan, record.text)
        elif isinstance(record, Lost):
            plan.lines.append(_lost(record))
            plan.lost[plan.lines[-1]] = record.count
        elif isinstance(record, RunStarted):
            _start(plan, record)
        elif isinstance(record, RunFinished):
            _finish(plan, record)
        elif not isinstance(record, (Metrics, System, Define)):
            plan.uploads.append(record)


def _lost(record: Lost) -> bytes:
    return line(
        kind="lost",
        time=record.time,
        key=record.key,
        reason=record.reason,
        count=record.count,
        detail=record.detail,
    )


def _define(record: Define) -> bytes:
    return line(kind="define", key=record.key, time=record.time, goal=record.goal, summary=record.summary)


def _start(plan: Plan, record: RunStarted) -> None:
    for said, native in (
        (record.experiment, names.experiment(record.experiment)),
        (record.name, names.run_name(record.name)),
    ):
        if said != native:
            plan.change("renamed", said, native)
    if record.resumed:
        plan.ending = ("RUNNING", 0)
    fields = ("time", "experiment", "name", "resumed", "group", "job_type", "user", "host", "origin")
    plan.lines.append(line(kind="start", **{field: getattr(record, field) for field in fields}))
    for part in ("tracker", "id", "url"):
        if value := record.origin.get(part):
            plan.tags[f"runcast.origin.{part}"] = printable(str(value))[: names.TAG_LIMIT]


def _finish(plan: Plan, record: RunFinished) -> None:
    # MLflow takes an end of 0 for none and puts in its own clock.
    plan.ending = (STATUS[record.status], max(1, record.time // 1_000_000))
    plan.lines.append(line(kind="finish", time=record.time, status=record.status, error=record.error))
    plan.tags["runcast.status"] = record.status
    if record.error:
        plan.tags["runcast.error"] = printable(record.error[:_ERROR_LIMIT])

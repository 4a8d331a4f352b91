"""Full ``log_batch`` calls, and the cursor that says after a crash which metrics MLflow has.

MLflow stores an equal point once, but one that it already has can cost a batch of 1000 up to three
seconds. So each call carries a tag with the last record of each writer that is wholly in. MLflow writes
params, metrics and tags of a call in this order: where the tag is, the metrics are. After a crash the
tag tells what to leave out; reading the history back would take longer with every point of the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from operator import attrgetter
from typing import Any

from runcast.backends.mlflow.names import TAG_LIMIT
from runcast.backends.mlflow.plan import Plan
from runcast.records import Record

CURSOR = "runcast.cursor"
CALL = 1000
"""Entities in one call, of which at most `SMALL` params and as many tags (MLflow's limits)."""
SMALL = 100
_LATE = attrgetter("step", "timestamp")


class Cursor:
    """How far each writer's records are in MLflow.

    A record counts as whole once a later one of its writer is sent: until then, its parts may be coming
    one by one (`runcast.records.split`).
    """

    def __init__(self, text: str | None = None) -> None:
        """`text` is the tag as it was found, None for a new run."""
        self._stored = _numbers(text)
        self._whole = {writer: whole for writer, (whole, _) in self._stored.items()}
        self._last: dict[str, int] = {}

    def covers(self, record: Record) -> bool:
        """Whether MLflow had all metrics of this record when the run was opened."""
        return 0 < record.seq <= self._stored.get(record.writer, (0, 0))[0]

    def doubts(self, writer: str, seq: int) -> bool:
        """Whether MLflow may have had this record, or parts of it."""
        return 0 < seq == self._stored.get(writer, (0, 0))[1]

    def after(self, marks: list[tuple[str, int]]) -> Cursor:
        """The cursor once the records of `marks` are sent; this one stays as it is."""
        new = Cursor.__new__(Cursor)
        new._stored, new._whole, new._last = self._stored, dict(self._whole), dict(self._last)
        for writer, seq in marks:
            last = new._last.get(writer, 0)
            if seq > last > new._whole.get(writer, 0):
                new._whole[writer] = last
            if seq:
                # Behind the others, so that the tag forgets the writers that went silent first.
                new._last.pop(writer, None)
                new._last[writer] = max(seq, last)
        return new

    def text(self) -> str:
        """JSON, at most as long as a tag: writer → [last whole record, last record]."""
        pairs = {writer: (whole, whole) for writer, whole in self._whole.items() if writer not in self._last}
        pairs.update((writer, (self._whole.get(writer, 0), last)) for writer, last in self._last.items())
        while True:
            text = json.dumps(pairs, separators=(",", ":"))
            if len(text) <= TAG_LIMIT:
                return text
            del pairs[next(iter(pairs))]


def _numbers(text: str | None) -> dict[str, tuple[int, int]]:
    try:
        return {
            str(writer): (int(whole), int(last)) for writer, (whole, last) in json.loads(text or "{}").items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}  # somebody edited the tag: without it, points are sent again, which is only slow


class Sender:
    """Sends plans, in order."""

    def __init__(self, client: Any, run_id: str, cursor: Cursor, *, newest_first: bool = False) -> None:
        """
        Args:
            client: an ``mlflow.MlflowClient``.
            run_id: MLflow's.
            cursor: as the run was found.
            newest_first: give the points of a call from the last to the first. A database keeps no order of
                its own, and MLflow writes a metric's latest value once instead of once for each point. A
                store that keeps lines, such as that of an old server, would show them so.
        """
        from mlflow.entities import Param, RunTag

        self._client, self._run_id, self.cursor = client, run_id, cursor
        self._newest_first = newest_first
        self._param: Callable[[str, str], Any] = Param
        self._tag: Callable[[str, str], Any] = RunTag

    def send(self, plan: Plan) -> None:
        """Params and tags first, then the metrics."""
        params, tags = iter(plan.params.items()), iter(plan.tags.items())
        edges = self._edges(plan)
        start, mark = 0, 0
        while True:
            some_params, some_tags = dict(islice(params, SMALL)), dict(islice(tags, SMALL - 1))
            room = CALL - len(some_params) - len(some_tags)
            if len(plan.metrics) - start != room:
                room -= 1  # for the cursor; it goes without where it alone would cost another call
            end = min(start + room, next(edge for edge in edges if edge > start or edge == edges[-1]))
            known = mark
            while mark < len(plan.marks) and self._end(plan, mark) <= end:
                mark += 1
            if not (some_params or some_tags or end > start or mark > known):
                return
            cursor = self.cursor.after([(writer, seq) for _, writer, seq in plan.marks[known:mark]])
            self._call(plan.metrics[start:end], some_params, some_tags, cursor)
            start = end

    def _call(
        self, metrics: list[Any], params: Mapping[str, str], tags: Mapping[str, str], cursor: Cursor
    ) -> None:
        # Without metrics the tag would only cost a write: it travels with the next ones.
        if metrics or params or tags:
            full = len(metrics) + len(params) + len(tags) == CALL
            everything = {**tags, CURSOR: cursor.text()} if metrics and not full else tags
            if self._newest_first:  # stable: of two that MLflow holds to be equally late, the first stays it
                metrics = sorted(metrics, key=_LATE, reverse=True)
            self._client.log_batch(
                self._run_id,
                metrics=metrics,
                params=[self._param(key, value) for key, value in params.items()],
                tags=[self._tag(key, value) for key, value in everything.items()],
                synchronous=True,
            )
        self.cursor = cursor

    @staticmethod
    def _end(plan: Plan, mark: int) -> int:
        return plan.marks[mark + 1][0] if mark + 1 < len(plan.marks) else len(plan.metrics)

    def _edges(self, plan: Plan) -> list[int]:
        """Where a call must end, so that a record goes alone that MLflow may have.

        A single point that it has makes the whole call slow.
        """
        edges = []
        for number, (begin, writer, seq) in enumerate(plan.marks):
            if self.cursor.doubts(writer, seq):
                edges += [begin, self._end(plan, number)]
        return [*edges, len(plan.metrics)]

"""`MlflowBackend`: one run in one MLflow tracking store."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from runcast.backends.mlflow import diagnose, removal, runs
from runcast.backends.mlflow.about import DESCRIPTION
from runcast.backends.mlflow.capabilities import CAPABILITIES
from runcast.backends.mlflow.client import connect, translated
from runcast.backends.mlflow.compose import Composer
from runcast.backends.mlflow.files import Files
from runcast.backends.mlflow.plan import KEYMAP, KEYMAP_SPILLED, LOST, Plan, keymap, keymap_text
from runcast.backends.mlflow.points import Points
from runcast.backends.mlflow.residual import ARTIFACT, Residual
from runcast.backends.mlflow.residual import line as json_line
from runcast.backends.mlflow.rows import ARTIFACT as ROWS
from runcast.backends.mlflow.rows import Rows
from runcast.backends.mlflow.sender import CURSOR, Cursor, Sender
from runcast.backends.mlflow.uploads import Uploads
from runcast.backends.mlflow.uris import Store, parse
from runcast.errors import ConfigError, Halt, Reject, Retry
from runcast.plugins import Backend, Capabilities, Change, Finding, OpenRun, Options, Receipt, Ref
from runcast.records import Record


class MlflowOptions(Options):
    """Where MLflow is."""

    uri: str = Field("sqlite:///mlflow.db", description="tracking URI: sqlite, postgresql, http, https")
    artifact_location: str | None = Field(
        None, description="folder or URI for the files of new experiments; without it, beside the database"
    )
    timeout: float = Field(10, gt=0, description="seconds for one request or one attempt to connect")


class MlflowBackend(Backend):
    """Delivers one run through MLflow's own client.

    ``run.state`` holds ``run_id``, MLflow's; ``keymap``, renamed names, None where they are too many for
    a tag; ``residual`` and ``rows``, how many bytes of these files are acknowledged; ``last``, see
    `Rows`; ``ended``;
    ``summaries``, see `summaries`.
    """

    name: ClassVar[str] = "mlflow"
    Options: ClassVar[type[BaseModel]] = MlflowOptions
    capabilities: ClassVar[Capabilities] = CAPABILITIES
    description: ClassVar = DESCRIPTION
    requires: ClassVar[Mapping[str, str]] = {"mlflow": "runcast[mlflow]"}
    environment: ClassVar[Mapping[str, str]] = {"uri": "MLFLOW_TRACKING_URI"}
    # A large artifact takes its time; one request is bounded by the option ``timeout``.
    deadline: ClassVar[float] = 300.0

    _run: OpenRun
    _store: Store
    _client: Any
    _run_id: str
    _sender: Sender
    _files: Files
    _residual: Residual
    _rows: Rows

    def open(self, run: OpenRun) -> Ref:
        """Connect, then find or create the experiment and the run.

        Raises:
            Retry, Halt: see `runcast.backends.mlflow.errors`.
        """
        self._run = run
        self._store = parse(self.options.uri, run.resolve)
        self._client = connect(self._store, self.options.timeout)
        try:
            with translated(self._store):
                location = self.options.artifact_location
                experiment = runs.experiment_id(self._client, self._store, run, location)
                found = runs.find(self._client, experiment, run)
                entity = found or runs.create(self._client, experiment, run)
                self._begin(entity, existed=found is not None)
        except Reject as error:
            raise Halt(f"the run cannot be created: {error}") from None
        return self._store.ref(self._run_id, str(entity.info.experiment_id))

    def _begin(self, entity: Any, *, existed: bool) -> None:
        from mlflow.entities import Metric

        run, state = self._run, self._run.state
        self._run_id = entity.info.run_id
        self._params, self._tags = dict(entity.data.params), dict(entity.data.tags)
        database = self._store.kind in ("sqlite", "sql")
        cursor = Cursor(self._tags.get(CURSOR))
        self._sender = Sender(self._client, self._run_id, cursor, newest_first=database)
        self._files = Files(self._client, self._run_id, run.folder, run.blob, existed=existed)
        self._residual = Residual(run.folder / "residual.jsonl", int(state.get("residual", 0)))
        self._rows = Rows(run.folder / "rows.jsonl.gz", int(state.get("rows", 0)), state.get("last"))
        if existed and "run_id" not in state:
            self._adopt()
        self._named = set(state.get("keymap") or {})
        self._told: set[Change] = set()
        self._unread = False
        start = run.started.time
        self._composer = Composer(Points(Metric), start, self._params, self._tags, self._named, self._rows)
        self._uploads = Uploads(
            self._client,
            self._store,
            str(entity.info.experiment_id),
            self._run_id,
            self._files,
            self._residual,
        )
        # The parent may have come to MLflow after its child.
        if run.parent is not None and self._tags.get("mlflow.parentRunId") != run.parent.id:
            self._client.set_tag(self._run_id, "mlflow.parentRunId", run.parent.id)
        state["run_id"] = self._run_id

    def _adopt(self) -> None:
        """Take over a run that a lost folder, or another machine, left in MLflow."""
        earlier = self._files.get(ARTIFACT)
        if earlier is not None:
            self._residual.start_from(earlier)
        earlier = self._files.get(ROWS)
        if earlier is not None:
            self._rows.start_from(earlier)
        self._run.state.update(residual=self._residual.size, rows=self._rows.size)
        self._run.state.update(keymap=keymap(self._tags.get(KEYMAP)))

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Files first, then params, tags and metrics, then the status; state changes last.

        Raises:
            Retry, Reject, Halt: see `runcast.backends.mlflow.errors`.
        """
        state = self._run.state
        self._rows.begin(state.get("last"))
        self._unread = False
        plan = self._composer.compose(batch, self._sender.cursor, state.get("summaries"))
        with translated(self._store):
            self._uploads.upload(plan)
            names = self._bookkeeping(plan)
            self._send(plan)
            size, rows = self._residual.append(plan.lines), self._rows.append(plan.rows)
            ended = self._end(plan, size, rows)
        self._residual.size, self._rows.size = size, rows
        self._named.update(plan.renamed)
        self._params.update(plan.params)
        self._tags.update(plan.tags)
        state.update(
            keymap=names,
            residual=size,
            rows=rows,
            last=self._rows.last,
            ended=ended,
            summaries=plan.summaries,
        )
        self._unread = not ended and bool(size or rows)
        changes = [change for change in plan.changes.values() if change not in self._told]
        self._told.update(changes)
        return Receipt(changes=changes, made=plan.made)

    def _bookkeeping(self, plan: Plan) -> dict[str, str] | None:
        """Add this backend's own tags; returns the map of renamed names for the state."""
        if plan.lost:
            # Counted anew from the lines, so that a record that comes twice counts once.
            before = {json_line(**fact): fact["count"] for fact in self._residual.facts("lost")}
            plan.tags[LOST] = str(sum({**before, **plan.lost}.values()))
        known: dict[str, str] | None = self._run.state.get("keymap", {})
        if known is None or not plan.renamed:
            return known
        merged = {**known, **plan.renamed}
        text = keymap_text(merged)
        plan.tags[KEYMAP] = KEYMAP_SPILLED if text is None else text
        return None if text is None else merged

    def _send(self, plan: Plan) -> None:
        try:
            with translated(self._store):
                self._sender.send(plan)
        except Reject as error:
            entity = runs.active(self._client.get_run(self._run_id))
            stored = entity.data.params
            if any(stored.get(key, text) != text for key, text in plan.params.items()):
                raise Retry("another process set a param of this run: planning again") from None
            keys = dict.fromkeys([*plan.params, *plan.tags, *(point.key for point in plan.metrics)])
            raise Reject(f"{error} (names: {', '.join(list(keys)[:20])})") from None

    def close(self) -> None:
        """Put up what reads the run back exactly, where it goes on: else that comes with the run's end."""
        if self._unread:
            self._unread = False
            with translated(self._store):
                self._put_up(self._residual.size, self._rows.size)

    def _put_up(self, size: int, rows: int) -> None:
        if size:
            self._files.put(ARTIFACT, b"".join(self._residual.lines(size)))
        if rows:
            self._files.put(ROWS, self._rows.tidy())

    def _end(self, plan: Plan, size: int, rows: int) -> bool:
        """Set the run's status where it changed; returns whether the run is over."""
        ended = bool(self._run.state.get("ended"))
        status, milliseconds = plan.ending or ("", 0)
        if status == "RUNNING":
            self._client.update_run(self._run_id, status="RUNNING")
            return False
        self._put_up(
            size if status or (ended and plan.lines) else 0, rows if status or (ended and plan.rows) else 0
        )
        if status:
            self._client.set_terminated(self._run_id, status, milliseconds)
        return ended or bool(status)

    def remove(self, run: OpenRun, ref: Ref) -> str:
        """Put the run into MLflow's trash; its logged models, their versions and its traces are deleted."""
        store = parse(self.options.uri, run.resolve)
        client = connect(store, self.options.timeout)
        with translated(store):
            return removal.remove(client, ref.id)

    @classmethod
    def options_from(cls, address: str) -> dict[str, Any]:
        """``mlflow:URI``; ``mlflow:`` alone is what MLflow's own variable says, or a file here."""
        uri = address or os.environ.get("MLFLOW_TRACKING_URI", "")
        if uri:
            try:
                parse(uri, Path)
            except Halt as error:
                raise ConfigError(str(error)) from None
        return {"uri": uri} if uri else {}

    @classmethod
    def diagnose(cls, options: Any) -> list[Finding]:
        """The package, the URI, whether the store answers and whether it can be written."""
        return diagnose.findings(str(options.uri))

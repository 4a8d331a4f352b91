"""A run: what was said about it, its streamed lines, and how both read afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import Refused
from .filters import deep, like
from .history import exact, key_counts, sampled, sampled_rows
from .owners import User
from .paging import Connection, page
from .projects import Project
from .things import StoredFile, Thing, now

if TYPE_CHECKING:
    from .artifacts import Artifact
    from .sweeps import Sweep

HISTORY, EVENTS, OUTPUT = "wandb-history.jsonl", "wandb-events.jsonl", "output.log"
SUMMARY = "wandb-summary.json"

_PLAIN_LINE = re.compile(
    r"(?:(?P<level>ERROR) )?(?P<ts>\d{4}-\d\d-\d\dT[\d:.]+Z?) (?P<content>.*)", re.DOTALL
)
_KEYS = {
    "name": "name", "display_name": "display_name", "displayName": "display_name", "state": "state",
    "tags": "tags", "group": "group", "jobType": "job_type", "job_type": "job_type", "sweep": "sweep_name",
    "created_at": "created_at", "createdAt": "created_at", "heartbeat_at": "heartbeat_at", "notes": "notes",
}  # fmt: skip


@dataclass(eq=False)
class Run(Thing):
    """One run.

    Attributes:
        lines: streamed file → its lines; a later post overwrites from its offset on.
        stored: file → its place in the store.
        alerts: what `NotifyScriptableRunAlert` said.
        logged, used: artifacts that came out and went in.
        exit_code: None until the run has said that it is complete.
        forced_state: the state, where something else than the exit code decides.
        stop_requested: answered to the run when it next streams.
    """

    project: Project
    name: str
    display_name: str | None = None
    description: str | None = None
    notes: str | None = None
    tags: list[str] = field(default_factory=list)
    group: str | None = None
    job_type: str | None = None
    commit: str | None = None
    host: str | None = None
    program: str | None = None
    config: str = "{}"
    sweep: Sweep | None = None
    heartbeat_at: str = field(default_factory=now)
    lines: dict[str, list[str]] = field(default_factory=dict)
    stored: dict[str, StoredFile] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    logged: list[Artifact] = field(default_factory=list)
    used: list[Artifact] = field(default_factory=list)
    exit_code: int | None = None
    forced_state: str | None = None
    stop_requested: bool = False
    read_only = False
    _parsed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def user(self) -> User:
        """Who logged it."""
        return self.home.user

    @property
    def project_id(self) -> int:
        """The project's number."""
        return self.project.number

    # What was streamed.

    def stream(self, files: dict[str, Any]) -> None:
        """Take streamed lines: they replace those from their offset on."""
        for name, part in files.items():
            lines, offset, new = self.lines.setdefault(name, []), part["offset"], part["content"]
            if offset > len(lines):
                raise Refused(f"{name}: offset {offset} behind the {len(lines)} lines that are there")
            lines[offset : offset + len(new)] = new
            self._parsed.pop(name, None)

    def touch(self) -> None:
        """It was heard of."""
        self.heartbeat_at = now()

    def keep_rows(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Forget the rows of the history that are not wanted."""
        pairs = zip(self.lines.get(HISTORY, []), self.rows(), strict=True)
        self.lines[HISTORY] = [line for line, row in pairs if wanted(row)]
        self._parsed.pop(HISTORY)

    def rows(self, name: str = HISTORY) -> list[dict[str, Any]]:
        """The rows of the history, or of another streamed file."""
        if name not in self._parsed:
            self._parsed[name] = [json.loads(line) for line in self.lines.get(name, [])]
        return self._parsed[name]

    @property
    def history_line_count(self) -> int:
        """What the client is told that the server has, where it goes on."""
        override = self.home.count_override
        return len(self.lines.get(HISTORY, [])) if override is None else override

    @property
    def events_line_count(self) -> int:
        """Rows of system metrics."""
        return len(self.lines.get(EVENTS, []))

    @property
    def log_line_count(self) -> int:
        """Lines of console output."""
        return len(self.lines.get(OUTPUT, []))

    @property
    def history_tail(self) -> str:
        """The last rows of the history, for a run that goes on."""
        return json.dumps(self.lines.get(HISTORY, [])[-1:])

    @property
    def events_tail(self) -> str:
        """The last rows of system metrics, for a run that goes on."""
        return json.dumps(self.lines.get(EVENTS, [])[-1:])

    @property
    def summary(self) -> dict[str, Any]:
        """The last summary."""
        rows = self.rows(SUMMARY)
        return rows[-1] if rows else {}

    @property
    def summary_metrics(self) -> str:
        """The last summary, as JSON without NaN."""
        return json.dumps(exact(self.summary))

    @property
    def system_metrics(self) -> str:
        """The last row of system metrics."""
        rows = self.rows(EVENTS)
        return json.dumps(exact(rows[-1])) if rows else "{}"

    @property
    def config_values(self) -> dict[str, Any]:
        """The configuration without its wrapping."""
        return {key: entry["value"] for key, entry in json.loads(self.config).items()}

    def wandb_config(self, keys: list[str]) -> str:
        """Parts of the configuration's `_wandb`."""
        ours = self.config_values.get("_wandb", {})
        return json.dumps({key: ours.get(key, {}) for key in keys})

    # How the history reads.

    def history(
        self, min_step: int | None = None, max_step: int | None = None, samples: int = 500
    ) -> list[str]:
        """Rows of `min_step` ≤ step < `max_step`, at most so many, as lines of JSON."""
        lower, upper = min_step or 0, float("inf") if max_step is None else max_step
        lines = self.lines.get(HISTORY, [])
        chosen = [at for at, row in enumerate(self.rows()) if lower <= row.get("_step", at) < upper]
        return [lines[at] for at in sampled(chosen, samples)]

    def events(self, samples: int = 500) -> list[str]:
        """System metrics, at most so many rows."""
        return sampled(self.lines.get(EVENTS, []), samples)

    def sampled_history(self, specs: list[str]) -> list[Any]:
        """Rows that have all the keys of a spec, at most as many as it asks for."""
        return [sampled_rows(self.rows(), json.loads(spec)) for spec in specs]

    def parquet_history(self, live_keys: list[str]) -> dict[str, Any]:
        """No part of the history is exported: all of it is read live."""
        first = self.rows()[:1]
        return {"parquetUrls": [], "liveData": [{key: row.get(key) for key in live_keys} for row in first]}

    @property
    def history_keys(self) -> dict[str, Any]:
        """Which keys the history has, and its last step."""
        return key_counts(self.rows())

    def log_lines(
        self,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        use_improved_pagination: bool = False,
    ) -> Connection:
        """The console's lines."""
        lines = [_console(at, line) for at, line in enumerate(self.lines.get(OUTPUT, []))]
        return page(lines[-last:] if last else lines, after, first)

    # Its files and artifacts.

    def place(self, name: str) -> StoredFile:
        """Where a file of the run is kept."""
        if name not in self.stored:
            self.stored[name] = StoredFile(
                self.home, name, f"{self.project.entity_name}/{self.project.name}/{self.name}/{name}"
            )
        return self.stored[name]

    @property
    def uploaded(self) -> list[StoredFile]:
        """Files that have content."""
        return [file for _, file in sorted(self.stored.items()) if file.content is not None]

    @property
    def file_count(self) -> int:
        """How many files were uploaded."""
        return len(self.uploaded)

    def files(
        self, names: Any = None, after: Any = None, first: Any = None, pattern: str | None = None
    ) -> Connection:
        """Uploaded files, by name or by a pattern."""
        if names:
            return page([file for file in self.uploaded if file.name in names], after, first)
        matches = like(pattern or "%")
        return page([file for file in self.uploaded if matches(file.name)], after, first)

    def input_artifacts(self, after: Any = None, first: Any = None) -> Connection:
        """What it used."""
        return page(self.used, after, first)

    def output_artifacts(self, after: Any = None, first: Any = None) -> Connection:
        """What it made, once committed."""
        return page([artifact for artifact in self.logged if artifact.state == "COMMITTED"], after, first)

    # Where it stands.

    @property
    def state(self) -> str:
        """By the exit code, unless something else was said."""
        if self.forced_state:
            return self.forced_state
        if self.exit_code is None:
            return "running"
        return "failed" if self.exit_code else "finished"

    exitcode = property(lambda self: self.exit_code)
    stopped = property(lambda self: self.stop_requested)
    should_stop = stopped
    failed = property(lambda self: self.state == "failed")
    running = property(lambda self: self.state == "running")

    @property
    def sweep_name(self) -> str | None:
        """The sweep that it belongs to."""
        return self.sweep.name if self.sweep else None

    def look(self, key: str) -> Any:
        """How a filter's keys read."""
        head, _, rest = key.partition(".")
        if head == "config":
            values = self.config_values
            found = deep(values, rest)
            return deep(values, rest.removesuffix(".value")) if found is None else found
        if head == "summary_metrics":
            return self.summary[rest] if rest in self.summary else deep(self.summary, rest)
        return getattr(self, _KEYS[key])


def _console(at: int, line: str) -> dict[str, Any]:
    # Structured lines are JSON, others begin with a time.
    if line.startswith("{"):
        parts = json.loads(line)
    else:
        found = _PLAIN_LINE.fullmatch(line)
        parts = found.groupdict() if found else {"content": line}
    return {
        "number": at, "timestamp": parts.get("ts"), "level": parts.get("level"), "label": parts.get("label"),
        "line": parts["content"],
    }  # fmt: skip

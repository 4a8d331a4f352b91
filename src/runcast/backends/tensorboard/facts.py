"""``runcast.json``: what is known of a run beyond its points.

One JSON object, ASCII, with NaN, the infinities and ``$`` keys as `runcast.codec` writes them:

``format``: 1. ``run``, ``experiment``, ``name``, ``group``, ``job_type``, ``user``, ``host``: as
started. ``parent``: id of the parent run; ``parent_folder``: where it is, relative to the logdir.
``status``: running, finished, failed, killed or crashed; ``error``: what ended it. ``start``,
``end``: ns since 1970. ``writers``: id → status of each process since the last (re)start. ``params``,
``tags``, ``note``: the last of each, with their types. ``artifacts``, ``models``, ``inputs``: one entry
per logged version, in order, with the folder that holds its files. ``environment``: the last of each
name; ``environment_files``: folder → paths. ``origin``: of a run from another tracker. ``defines``: metric
or pattern → ``goal``, ``summary``; ``summaries``: metric → what is wanted of it, as of the last end of
a process. ``embeddings``: what the projector's configuration says. ``keys``: tag in the
event files → name that the script used, where they differ. ``lost``: name → reason → count.
``missing_bytes``: of the event file, acknowledged and gone. ``wide_steps``: whether a step beyond int32
keeps the run out of HParams. ``events``: name of the event file, which has every record exactly: see
``docs/tensorboard.md``.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from runcast.codec import pack, unpack
from runcast.records import Lost, Params, RunFinished, RunStarted, Status
from runcast.summaries import definition

_SEVERITY: tuple[Status, ...] = ("finished", "failed", "killed", "crashed")


class Facts(msgspec.Struct, kw_only=True):
    """The content of ``runcast.json``; see the module's text."""

    format: int = 1
    run: str
    experiment: str
    name: str
    group: str | None = None
    job_type: str | None = None
    user: str | None = None
    host: str | None = None
    parent: str | None = None
    parent_folder: str | None = None
    status: Status = "running"
    error: str | None = None
    start: int
    end: int | None = None
    writers: dict[str, str] = {}
    params: dict[str, Any] = {}
    tags: dict[str, str] = {}
    note: str | None = None
    artifacts: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []
    inputs: list[dict[str, Any]] = []
    environment: dict[str, Any] = {}
    environment_files: dict[str, list[str]] = {}
    origin: dict[str, Any] = {}
    defines: dict[str, dict[str, Any]] = {}
    summaries: dict[str, dict[str, dict[str, Any]]] = {}
    embeddings: list[dict[str, Any]] = []
    keys: dict[str, str] = {}
    lost: dict[str, dict[str, int]] = {}
    missing_bytes: int = 0
    wide_steps: bool = False
    events: str = ""

    @classmethod
    def of(cls, run: str, started: RunStarted) -> Facts:
        """What is known of a run that begins."""
        return cls(
            run=run,
            experiment=started.experiment,
            name=started.name,
            group=started.group,
            job_type=started.job_type,
            user=started.user,
            host=started.host,
            parent=started.parent,
            origin=started.origin,
            start=started.time,
            writers={started.writer: "running"},
        )

    @classmethod
    def decode(cls, data: bytes) -> Facts:
        """Undo `encode`.

        Raises:
            ValueError: `data` is no such document.
        """
        return msgspec.convert(unpack(json.loads(data)), cls)

    def encode(self) -> bytes:
        """The document; the same facts give the same bytes.

        Raises:
            TypeError, ValueError, RecursionError: a value is not JSON-like.
        """
        document = {name: pack(getattr(self, name)) for name in self.__struct_fields__}
        return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()

    def copy(self) -> Facts:
        """Facts that may be changed; the values themselves are shared, for nobody changes those."""
        parts = {name: getattr(self, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(
            self, **{name: part.copy() for name, part in parts.items() if isinstance(part, (dict, list))}
        )

    def begin(self, record: RunStarted) -> None:
        """A process began; a resumed run runs again, whatever became of its earlier processes."""
        if record.resumed:
            self.writers = {}
        self.writers[record.writer] = "running"
        self.status, self.end, self.error = "running", None, None

    def finish(self, record: RunFinished) -> None:
        """A process ended: the run ends with its last process, as badly as the worst of them."""
        who = record.of or record.writer
        running = [writer for writer, status in self.writers.items() if status == "running"]
        if who not in running and running:
            return  # a late word about a process that a resumed run has replaced
        self.writers[who] = record.status
        self.error = record.error or self.error
        if "running" not in self.writers.values():
            self.end = max(record.time, self.end or record.time)
            self.status = max((s for s in _SEVERITY if s in self.writers.values()), key=_SEVERITY.index)

    def add_params(self, record: Params) -> list[str]:
        """Keep params; names those that had another value."""
        changed = [
            key
            for key, value in record.values.items()
            if key in self.params and repr(self.params[key]) != repr(value)
        ]
        self.params.update(record.values)
        return changed

    def definition(self, key: str) -> dict[str, Any] | None:
        """What was defined of a metric."""
        return definition(key, self.defines)

    def add_lost(self, record: Lost) -> None:
        """Count what could not be kept."""
        reasons = dict(self.lost.get(record.key, {}))
        reasons[record.reason] = reasons.get(record.reason, 0) + record.count
        self.lost[record.key] = reasons

"""What a transaction log says, one class per kind of record.

Names and meanings are those of W&B's ``wandb_internal.proto``, as wandb 0.31 writes them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Values = dict[str, Any]
"""Names → JSON values; NaN and the infinities are legal."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Header(_Entry, frozen=True):
    """The first record: who wrote the log, and the oldest reader that may read it."""

    producer: str = ""
    min_consumer: str = "0.70.0"


class Run(_Entry, frozen=True):
    """The run's own fields; written again, whole, whenever one of them changes; the last one wins.

    Attributes:
        start_ns: start of the run in ns since 1970; 0 where the log does not say.
        config: settings known at this point.
        sweep: id of the sweep that started the run.
    """

    run_id: str = ""
    entity: str = ""
    project: str = ""
    config: Values = {}
    group: str = ""
    job_type: str = ""
    name: str = ""
    notes: str = ""
    tags: list[str] = []
    host: str = ""
    start_ns: int = 0
    resumed: bool = False
    sweep: str = ""


class Config(_Entry, frozen=True):
    """A change of settings; dicts merge with what was there, removals come after updates."""

    update: Values = {}
    remove: list[str] = []


class History(_Entry, frozen=True):
    """One row: its step, and its values with ``_step``, ``_timestamp`` and ``_runtime`` (seconds)."""

    step: int = 0
    values: Values = {}


class Summary(_Entry, frozen=True):
    """A change of the run's last values."""

    update: Values = {}
    remove: list[str] = []


class Metric(_Entry, frozen=True):
    """A definition of a metric: the metric that is its x axis, and how it is summed up.

    Attributes:
        name: a dot of the name's own is escaped as ``\\.``; a bare dot goes into a dict.
        glob: in place of a name; W&B's client takes a ``*`` at the end only.
        summary: what stands in the summary, of `SUMMARIES`.
        goal: which direction is better.
    """

    name: str = ""
    glob: str = ""
    step_metric: str = ""
    summary: list[str] = []
    goal: Literal["", "minimize", "maximize"] = ""


SUMMARIES = {"min": 1, "max": 2, "mean": 3, "best": 4, "last": 5, "none": 6, "copy": 7, "first": 8}
"""What a metric may be summed up to, with W&B's field numbers."""


class Stats(_Entry, frozen=True):
    """A look at the machine.

    Attributes:
        time_ns: when, ns since 1970.
        values: flat names, such as ``gpu.0.memory`` → numbers.
    """

    time_ns: int = 0
    values: Values = {}


class Gpu(_Entry, frozen=True):
    """One NVIDIA GPU: its name, and its memory in bytes."""

    name: str = ""
    memory: int = 0


class Environment(_Entry, frozen=True):
    """What the run ran in; W&B's client makes ``wandb-metadata.json`` of it. A later record adds to it.

    Attributes:
        program: path of the script.
        started_ns: start of the process, ns since 1970.
        writer_id: tells processes of one run apart.
        memory: of the machine, in bytes.
    """

    os: str = ""
    python: str = ""
    started_ns: int = 0
    args: list[str] = []
    program: str = ""
    git_remote: str = ""
    git_commit: str = ""
    root: str = ""
    host: str = ""
    username: str = ""
    executable: str = ""
    cpu_count: int = 0
    cpu_count_logical: int = 0
    gpu_type: str = ""
    memory: int = 0
    gpus: list[Gpu] = []
    cuda_version: str = ""
    writer_id: str = ""


class Output(_Entry, frozen=True):
    """What the script printed, as one call wrote it."""

    stream: Literal["stdout", "stderr"] = "stdout"
    time_ns: int = 0
    text: str = ""


class Files(_Entry, frozen=True):
    """Files below ``files/`` that belong to the run.

    Attributes:
        now: they are as they will be, and may be uploaded at once, not only at the run's end.
    """

    paths: list[str] = []
    now: bool = False


class ManifestEntry(_Entry, frozen=True):
    """One file of an artifact.

    Attributes:
        digest: base64 of the content's md5; of a reference any text that changes with the content.
        ref: URI of a content that stays where it is.
        local_path: absolute path of the content; ``""`` for a reference.
    """

    path: str = ""
    digest: str = ""
    size: int = 0
    ref: str = ""
    local_path: str = ""


class Artifact(_Entry, frozen=True):
    """Files to be uploaded as a version of an artifact.

    Attributes:
        digest: md5 over the manifest, hex; the server tells versions apart by it.
        metadata: JSON text.
        client_id: 128 characters that name this version before the server does.
        sequence_client_id: 128 characters that name the artifact before the server does.
        use: the run has it as an input, and not as an output alone.
    """

    run_id: str = ""
    project: str = ""
    entity: str = ""
    type: str = ""
    name: str = ""
    digest: str = ""
    description: str = ""
    metadata: str = ""
    aliases: list[str] = []
    entries: list[ManifestEntry] = []
    client_id: str = ""
    sequence_client_id: str = ""
    use: bool = False


class Exit(_Entry, frozen=True):
    """The run is over: the process's exit code, and seconds since the start."""

    code: int = 0
    runtime: int = 0


class Other(_Entry, frozen=True):
    """A record of a kind that runcast has no use for, such as telemetry.

    Attributes:
        kind: its field number in W&B's ``Record``.
    """

    kind: int = 0


Entry = (
    Header | Run | Config | History | Summary | Metric | Stats | Environment | Output | Files | Artifact
    | Exit | Other
)  # fmt: skip
"""Any record of a log."""

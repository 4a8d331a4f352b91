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
    """A definition of a metric: the metric that is its x axis.

    Attributes:
        name: a dot of the name's own is escaped as ``\\.``; a bare dot goes into a dict.
        glob: in place of a name.
    """

    name: str = ""
    glob: str = ""
    step_metric: str = ""


class Output(_Entry, frozen=True):
    """What the script printed, as one call wrote it."""

    stream: Literal["stdout", "stderr"] = "stdout"
    time_ns: int = 0
    text: str = ""


class Files(_Entry, frozen=True):
    """Files below ``files/`` that belong to the run, to be uploaded at its end."""

    paths: list[str] = []


class ManifestEntry(_Entry, frozen=True):
    """One file of an artifact.

    Attributes:
        digest: base64 of the content's md5.
        local_path: absolute path of the content.
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


class Exit(_Entry, frozen=True):
    """The run is over: the process's exit code, and seconds since the start."""

    code: int = 0
    runtime: int = 0


class Other(_Entry, frozen=True):
    """A record of a kind that runcast has no use for, such as system metrics or telemetry.

    Attributes:
        kind: its field number in W&B's ``Record``.
    """

    kind: int = 0


Entry = Header | Run | Config | History | Summary | Metric | Output | Files | Artifact | Exit | Other
"""Any record of a log."""

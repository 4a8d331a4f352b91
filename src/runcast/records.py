"""The narrow waist: everything that a run can say, as a small closed set of immutable kinds.

The facade and every source make records; the journal stores them; every backend takes them.
A record is identified by (``writer``, ``seq``): the id of the process that wrote it and its number
there. Both stand in the journal's framing, not in the JSON, and are filled in by the reader.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Scalar = bool | int | float
"""What a metric may be. NaN and the infinities are legal; ints may be of any size."""

Status = Literal["running", "finished", "failed", "killed", "crashed"]
"""``failed``: an exception; ``killed``: interrupted by a person; ``crashed``: the process just died."""


class FileRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file of an artifact.

    Attributes:
        path: place inside the artifact, POSIX, relative, without ``..``.
        sha256: digest of the content, 64 hex digits; names the blob that holds it.
        size: bytes.
    """

    path: str
    sha256: str
    size: int


class _Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """What every record carries.

    Attributes:
        time: wall clock in ns since 1970, taken when the script spoke; re-sent verbatim for ever.
        writer: id of the process that wrote the record, 16 hex digits.
        seq: number of the record within its writer, from 1, without gaps.
    """

    time: int
    writer: str = ""
    seq: int = 0


class RunStarted(_Base, frozen=True, tag="run_started"):
    """A process began to log to a run.

    Attributes:
        run: the run's id.
        experiment: what groups runs (W&B: project; TensorBoard: folder).
        name: what people call the run.
        parent: id of the run that this one is nested in.
        resumed: True where the run had been started before.
        group, job_type: W&B's two axes of grouping.
        user, host: who and where.
        base: folder, absolute, that relative paths in options are relative to.
        backends: name of each backend → its options, without secrets.
    """

    run: str
    experiment: str
    name: str
    parent: str | None = None
    resumed: bool = False
    group: str | None = None
    job_type: str | None = None
    user: str | None = None
    host: str | None = None
    base: str = ""
    backends: dict[str, dict[str, Any]] = {}


class Params(_Base, frozen=True, tag="params"):
    """Settings of the run: flat names → JSON-like values (None, bool, int, float, str, list, dict)."""

    values: dict[str, Any]


class Metrics(_Base, frozen=True, tag="metrics"):
    """Numbers at one step: flat names → values; the step is an int64."""

    step: int
    values: dict[str, Scalar]


class Tags(_Base, frozen=True, tag="tags"):
    """Labels; a label without a value has the value ``""``. The last value of a name wins."""

    values: dict[str, str]


class Note(_Base, frozen=True, tag="note"):
    """The run's description in prose; the last one wins."""

    text: str


class Media(_Base, frozen=True, tag="media"):
    """One value that is no number.

    Attributes:
        key: flat name, as of a metric.
        step: int64, as of a metric.
        type: ``text`` for now.
        text: the content where it is text.
        file: the content where it is a file.
        caption: shown beside it.
    """

    key: str
    step: int
    type: str
    text: str | None = None
    file: FileRef | None = None
    caption: str | None = None


class Artifact(_Base, frozen=True, tag="artifact"):
    """Files that the run made, as they were at the call.

    Attributes:
        name: without ``/``; versions of one name are told apart by ``digest``.
        type: ``model``, ``dataset``, ``file``, ...
        files: every file; its content is a blob.
        digest: sha256 over the sorted (path, sha256) pairs, 64 hex digits.
        aliases: moving names such as ``best``.
        metadata: JSON-like.
    """

    name: str
    type: str
    files: list[FileRef]
    digest: str
    aliases: list[str] = []
    metadata: dict[str, Any] = {}


class RunFinished(_Base, frozen=True, tag="run_finished"):
    """A writer is done with the run.

    Attributes:
        status: how it ended.
        error: the exception's type and text, secrets masked.
        of: the writer that this speaks for, where it died before it could (``crashed``).
    """

    status: Status
    error: str | None = None
    of: str | None = None


class Lost(_Base, frozen=True, tag="lost"):
    """Something that the script said and that could not be kept.

    Attributes:
        key: the name that was used, or ``""`` for whole records.
        reason: why, and the mend.
        count: how many values or records.
        detail: a short look at the value, secrets masked.
    """

    key: str
    reason: str
    count: int = 1
    detail: str | None = None


Record = RunStarted | Params | Metrics | Tags | Note | Media | Artifact | RunFinished | Lost
"""Any record."""

KINDS: tuple[type[_Base], ...] = (
    RunStarted, Params, Metrics, Tags, Note, Media, Artifact, RunFinished, Lost,
)  # fmt: skip


def kind(record: Record) -> str:
    """The record's kind as the journal spells it, such as ``metrics``."""
    return str(type(record).__struct_config__.tag)


def split(record: Record) -> list[Record]:
    """One record per name, so that a poisonous name can be told from its neighbours.

    The parts keep the record's identity. A record that has no smaller parts comes back alone.
    """
    if isinstance(record, (Metrics, Params, Tags)) and len(record.values) > 1:
        return [msgspec.structs.replace(record, values={k: v}) for k, v in record.values.items()]
    return [record]

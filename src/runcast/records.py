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
    """One file of an artifact or a media value.

    Attributes:
        path: place inside the artifact, POSIX, relative, without ``..``.
        sha256: digest of the content, 64 hex digits; names the blob that holds it. ``""`` where it is not
            known: of a `held` file until the courier has read it, of a reference perhaps for ever.
        size: bytes; of a reference 0 where it is not known.
        held: name of a file in ``blobs/held/``: a snapshot that nobody has read yet. Backends never see
            one, see `runcast.journal.settle`.
        uri: the content stays where this says, and no blob holds it.
    """

    path: str
    sha256: str
    size: int
    held: str = ""
    uri: str = ""


class Span(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One timed step of a `Trace`; names of attributes follow OpenTelemetry's conventions for GenAI.

    Attributes:
        id: 16 hex digits.
        parent: the span around it, None for the outermost.
        name: what was done.
        type: ``llm``, ``chain``, ``tool``, ``retriever``, ``embedding``, ``agent`` or ``""``.
        start, end: wall clock in ns since 1970.
        error: type and text of the exception that ended it, secrets masked; None where it went well.
        inputs, outputs: JSON-like.
        attributes: such as ``gen_ai.request.model``, ``gen_ai.usage.input_tokens``.
        events: each with ``name``, ``time`` (ns) and ``attributes``.
        links: spans of other traces that it points to: ``trace`` and ``span``, their ids, and ``attributes``.
    """

    id: str
    parent: str | None = None
    name: str
    type: str = ""
    start: int
    end: int
    error: str | None = None
    inputs: Any = None
    outputs: Any = None
    attributes: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []


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
        routes: name of a backend → what of the run goes there, see `runcast.config.Route`.
        origin: of a run that was brought from another tracker: ``tracker``, ``id``, ``url``, and in
            ``extra`` what no other record holds.
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
    routes: dict[str, dict[str, Any]] = {}
    origin: dict[str, Any] = {}


class Params(_Base, frozen=True, tag="params"):
    """Settings of the run: flat names → JSON-like values (None, bool, int, float, str, list, dict)."""

    values: dict[str, Any]


class Metrics(_Base, frozen=True, tag="metrics"):
    """Numbers at one step: flat names → values; the step is an int64."""

    step: int
    values: dict[str, Scalar]


class System(_Base, frozen=True, tag="system"):
    """A look at the machine: flat names such as ``cpu/percent`` → values; there is no step, only a time."""

    values: dict[str, Scalar]


class Define(_Base, frozen=True, tag="define"):
    """How a metric is summed up.

    Attributes:
        key: name of the metric, or a glob.
        goal: which direction is better, None for neither.
        summary: what people want to see of it: ``min``, ``max``, ``mean``, ``last``, ``best``.
    """

    key: str
    goal: Literal["minimize", "maximize"] | None = None
    summary: list[str] = []


class Tags(_Base, frozen=True, tag="tags"):
    """Labels; a label without a value has the value ``""``. The last value of a name wins."""

    values: dict[str, str]


class Note(_Base, frozen=True, tag="note"):
    """The run's description in prose; the last one wins."""

    text: str


class Media(_Base, frozen=True, tag="media"):
    """One value that is no number; ``docs/media.md`` has the form of each type.

    Attributes:
        key: flat name, as of a metric.
        step: int64, as of a metric.
        type: ``text``, ``html``, ``image``, ``figure``, ``audio``, ``video``, ``table``, ``histogram``,
            ``object3d``, ``point_cloud``, ``mesh``, ``embedding``, ``graph``, ``confusion_matrix``,
            ``roc_curve``, ``pr_curve``, ``calibration`` or ``feature_importance``.
        text: the content where it is text.
        file: the content where it is a file.
        caption: shown beside it.
        files: more files, in the order in which `data` speaks of them.
        data: JSON-like; what else belongs to the value.
    """

    key: str
    step: int
    type: str
    text: str | None = None
    file: FileRef | None = None
    caption: str | None = None
    files: list[FileRef] = []
    data: dict[str, Any] = {}

    @property
    def contents(self) -> list[FileRef]:
        """Every file: `file`, then `files`."""
        return [self.file, *self.files] if self.file is not None else list(self.files)


class Artifact(_Base, frozen=True, tag="artifact"):
    """Files that the run made, as they were at the call.

    Attributes:
        name: without ``/``; versions of one name are told apart by ``digest``.
        type: ``model``, ``dataset``, ``file``, ...
        files: every file; its content is a blob, or elsewhere (``uri``).
        digest: sha256 over the sorted (path, sha256) pairs, 64 hex digits; ``""`` while a file is held.
        aliases: moving names such as ``best``.
        metadata: JSON-like.
        description: prose.
        origin: of one that was brought from another tracker: ``tracker``, ``id`` there, and in ``extra`` what
            no other field holds; ``origin``: where it had come from to there.
    """

    name: str
    type: str
    files: list[FileRef]
    digest: str
    aliases: list[str] = []
    metadata: dict[str, Any] = {}
    description: str = ""
    origin: dict[str, Any] = {}


class Model(_Base, frozen=True, tag="model"):
    """A trained model.

    Attributes:
        name: without ``/``.
        flavor: ``sklearn``, ``pytorch``, ``torchscript``, ``torch_export``, ``xgboost``, ``onnx`` or
            ``pyfunc``.
        files: the serialized model; `data` says which file is what.
        digest: as of an `Artifact`.
        step: of the training, where it has one.
        signature: ``inputs``, ``outputs``, ``params``: each a list of columns or tensors in MLflow's JSON.
        example: an input, as JSON.
        requirements: lines for ``pip install`` that loading it needs.
        register_as: name in the trackers' registries, where it is to be registered.
        aliases: moving names for the registered version, or for the artifact.
        metadata: JSON-like, the script's.
        data: JSON-like; how to load it: depends on the flavor.
        origin: as of an `Artifact`.
    """

    name: str
    flavor: str
    files: list[FileRef]
    digest: str
    step: int | None = None
    signature: dict[str, Any] | None = None
    example: Any = None
    requirements: list[str] = []
    register_as: str | None = None
    aliases: list[str] = []
    metadata: dict[str, Any] = {}
    data: dict[str, Any] = {}
    origin: dict[str, Any] = {}


class Input(_Base, frozen=True, tag="input"):
    """Something that the run used: a dataset, or an artifact of another run.

    Attributes:
        name: what it is called.
        type: ``dataset``, ``model``, ...
        context: what for, such as ``training``.
        digest: of its content, 64 hex digits or the source's own form.
        version: such as ``v3``, where it has one.
        source: URI where it comes from.
        run: runcast's id of the run that made it.
        alias: the moving name that it was asked for by.
        files: its files, where runcast has them.
        metadata: JSON-like: ``schema``, ``profile``, ``splits`` (name → number of rows), ...
        origin: as of an `Artifact`: what was used, as its tracker calls it.
    """

    name: str
    type: str
    context: str | None = None
    digest: str = ""
    version: str | None = None
    source: str | None = None
    run: str | None = None
    alias: str | None = None
    files: list[FileRef] = []
    metadata: dict[str, Any] = {}
    origin: dict[str, Any] = {}


class Environment(_Base, frozen=True, tag="environment"):
    """What the run ran in; later values replace earlier ones name by name.

    Attributes:
        values: JSON-like; ``docs/capture.md`` has the names: ``git``, ``command``, ``python``, ``packages``,
            ``os``, ``cpu``, ``gpus``, ``seeds``, ...
        files: such as ``diff.patch``, ``requirements.txt``.
    """

    values: dict[str, Any]
    files: list[FileRef] = []


class Trace(_Base, frozen=True, tag="trace"):
    """One whole call, of a language model or anything else, with the calls inside it.

    Attributes:
        id: 32 hex digits.
        spans: the outermost first.
        tags: labels.
        session: what groups traces, such as a conversation.
        model: the model that answered: ``id``, as its tracker calls it, and ``run``, runcast's id of the run
            that made it; empty where that is not known.
        metadata: JSON-like; what a tracker has beside tags, under its name.
        origin: as of an `Artifact`.
    """

    id: str
    spans: list[Span]
    tags: dict[str, str] = {}
    session: str | None = None
    model: dict[str, str] = {}
    metadata: dict[str, Any] = {}
    origin: dict[str, Any] = {}


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


Record = (
    RunStarted | Params | Metrics | System | Define | Tags | Note | Media | Artifact | Model | Input
    | Environment | Trace | RunFinished | Lost
)  # fmt: skip
"""Any record."""

KINDS: tuple[type[_Base], ...] = (
    RunStarted, Params, Metrics, System, Define, Tags, Note, Media, Artifact, Model, Input,
    Environment, Trace, RunFinished, Lost,
)  # fmt: skip


def kind(record: Record) -> str:
    """The record's kind as the journal spells it, such as ``metrics``."""
    return str(type(record).__struct_config__.tag)


def files_of(record: Record) -> list[FileRef]:
    """Every file that a record of any kind names, in its order."""
    one: FileRef | None = getattr(record, "file", None)
    return [*([one] if one is not None else []), *getattr(record, "files", ())]


def split(record: Record) -> list[Record]:
    """One record per name, so that a poisonous name can be told from its neighbours.

    The parts keep the record's identity. A record that has no smaller parts comes back alone.
    """
    if isinstance(record, (Metrics, Params, Tags, System)) and len(record.values) > 1:
        return [msgspec.structs.replace(record, values={k: v}) for k, v in record.values.items()]
    return [record]

"""What the catalog gives back: frozen views of runs. Times are ns since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runcast.records import Define, FileRef, Input, Scalar, Trace

if TYPE_CHECKING:
    from runcast.catalog.curves import Point


class Summary(msgspec.Struct, frozen=True):
    """One metric in short.

    Attributes:
        count: number of points.
        step, time: of the last point that was logged.
        first, last: values of the first and last points logged; NaN and the infinities as they were.
        min, max: over every point but NaN; None where there is none.
        min_step, max_step: steps of the first points that had these values.
        best, best_step: `min` or `max`, where `Run.define_metric` said which of them is better.
    """

    count: int
    step: int
    time: int
    first: Scalar | None
    last: Scalar | None
    min: Scalar | None
    max: Scalar | None
    min_step: int | None = None
    max_step: int | None = None
    best: Scalar | None = None
    best_step: int | None = None


class ArtifactInfo(msgspec.Struct, frozen=True):
    """Files that a run logged.

    Attributes:
        version: 0, 1, ... counts the different contents of this name in the run's experiment, by the time
            of their first sight. A run that is delivered late can shift the later numbers; `digest` never
            moves.
        aliases: the names that point here now; ``latest`` is at what was logged last.
        size: bytes, of all files.
        run, experiment: which run logged it, and where versions count.
        model: None; or of a model ``flavor``, ``step``, ``signature``, ``example``, ``requirements``,
            ``register_as`` and ``data``.
    """

    name: str
    type: str
    version: int
    digest: str
    aliases: list[str]
    metadata: dict[str, Any]
    files: list[FileRef]
    size: int
    time: int
    run: str = ""
    experiment: str = ""
    description: str = ""
    model: dict[str, Any] | None = None


class MediaInfo(msgspec.Struct, frozen=True):
    """A value that is no number: text, or files among the blobs; ``docs/media.md`` has the forms."""

    key: str
    step: int
    time: int
    type: str
    text: str | None
    file: FileRef | None
    caption: str | None
    files: list[FileRef] = []
    data: dict[str, Any] = {}


class LossInfo(msgspec.Struct, frozen=True):
    """What could not be kept of a key, why, and how often."""

    key: str
    reason: str
    count: int
    detail: str | None


class RunInfo(msgspec.Struct, frozen=True):
    """One run, as the catalog knew it when it was asked.

    Attributes:
        start, end: ns since 1970; `end` is None while the run is running.
        points: metric values in all. lost: values or records that could not be kept.
        params: flat names → values, with their types.
        metrics: flat names → summaries; the points are read by `history`.
        home: runcast's folder that holds the run.
    """

    id: str
    experiment: str
    name: str
    status: str
    start: int | None
    end: int | None
    parent: str | None
    group: str | None
    job_type: str | None
    user: str | None
    host: str | None
    error: str | None
    note: str | None
    points: int
    lost: int
    params: dict[str, Any]
    metrics: dict[str, Summary]
    tags: dict[str, str]
    home: str = ""

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while running."""
        return None if self.start is None or self.end is None else (self.end - self.start) / 1e9

    @property
    def artifacts(self) -> list[ArtifactInfo]:
        """Artifacts in the order in which they were logged; asks the catalog."""
        from runcast.catalog import details

        return [found for found in details.artifacts(self) if found.model is None]

    @property
    def models(self) -> list[ArtifactInfo]:
        """Models in the order in which they were logged; asks the catalog."""
        from runcast.catalog import details

        return [found for found in details.artifacts(self) if found.model is not None]

    def inputs(self) -> list[Input]:
        """Datasets and artifacts that the run used, as they were logged."""
        from runcast.catalog import details

        return details.inputs(self)

    def environment(self) -> dict[str, Any]:
        """What the run ran in; ``docs/capture.md`` has the names."""
        from runcast.catalog import details

        return details.environment(self)

    def environment_files(self) -> list[FileRef]:
        """Files about what the run ran in, such as ``diff.patch``."""
        from runcast.catalog import details

        return details.environment_files(self)

    def traces(self) -> list[Trace]:
        """Traced calls, in the order in which they were logged."""
        from runcast.catalog import details

        return details.traces(self)

    def system(self) -> dict[str, Summary]:
        """Looks at the machine: flat names → summaries; steps mean nothing there."""
        from runcast.catalog import details

        return details.system(self)

    def definitions(self) -> list[Define]:
        """How metrics are to be summed up, in the order in which that was said."""
        from runcast.catalog import details

        return details.definitions(self)

    def texts(self) -> list[MediaInfo]:
        """Texts in the order in which they were logged; asks the catalog."""
        return [media for media in self.media() if media.type == "text"]

    def media(self) -> list[MediaInfo]:
        """Texts and everything else that is no number."""
        from runcast.catalog import details

        return details.media(self)

    def losses(self) -> list[LossInfo]:
        """What could not be kept."""
        from runcast.catalog import details

        return details.losses(self)

    def history(self, *keys: str) -> dict[str, list[Point]]:
        """Every point of some metrics, or of all: key → (step, time in ns, value), as logged.

        Raises:
            UsageError: the run has no such metric, or its journal is gone.
        """
        from runcast.catalog import curves

        return curves.history(self, *keys)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without `home`; NaN stays a float."""
        plain = {name: getattr(self, name) for name in self.__struct_fields__ if name != "home"}
        plain["metrics"] = {key: msgspec.structs.asdict(summary) for key, summary in self.metrics.items()}
        return plain

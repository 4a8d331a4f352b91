"""What the catalog gives back: frozen views of runs. Times are ns since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runcast.records import FileRef, Scalar

if TYPE_CHECKING:
    from runcast.catalog.curves import Point


class Summary(msgspec.Struct, frozen=True):
    """One metric in short.

    Attributes:
        count: number of points.
        step, time: of the last point that was logged.
        first, last: values of the first and last points logged; NaN and the infinities as they were.
        min, max: over every point but NaN; None where there is none.
    """

    count: int
    step: int
    time: int
    first: Scalar | None
    last: Scalar | None
    min: Scalar | None
    max: Scalar | None


class ArtifactInfo(msgspec.Struct, frozen=True):
    """Files that a run logged.

    Attributes:
        version: 0, 1, ... counts the different contents of this name in the run's experiment, by the time
            of their first sight. A run that is delivered late can shift the later numbers; `digest` never
            moves.
        aliases: the names that point here now; ``latest`` is at what was logged last.
        size: bytes, of all files.
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


class MediaInfo(msgspec.Struct, frozen=True):
    """A value that is no number: text, or a file among the blobs."""

    key: str
    step: int
    time: int
    type: str
    text: str | None
    file: FileRef | None
    caption: str | None


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

        return details.artifacts(self)

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

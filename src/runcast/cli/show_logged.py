"""What ``runcast show`` says of a run beside its numbers and settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runcast.catalog import ArtifactInfo, RunInfo
from runcast.catalog.texts import amount, number, span, value
from runcast.cli import output
from runcast.records import Input

if TYPE_CHECKING:
    from rich.console import RenderableType

_LONG = 300
_MOST = 20


def logged(info: RunInfo) -> Iterator[RenderableType]:
    """One table per kind of thing that the run has."""
    yield from _artifacts("artifact", info.artifacts)
    yield from _artifacts("model", info.models)
    yield from _inputs(info.inputs())
    yield from _media(info)
    yield from _machine(info)
    yield from _traces(info)
    if losses := info.losses():
        lost = [(loss.key, loss.reason, str(loss.count), cut(loss.detail or "")) for loss in losses]
        yield output.table(["lost", "because", "count", "what it was"], lost, right=["count"])


def cut(text: str) -> RenderableType:
    """Text of any length in a cell."""
    return output.safe(text, most=_LONG)


def _artifacts(title: str, found: list[ArtifactInfo]) -> Iterator[RenderableType]:
    if found:
        rows = [
            (f"{a.name}:v{a.version}", _kind(a), ", ".join(a.aliases), str(len(a.files)), amount(a.size))
            for a in found
        ]
        columns = [title, "type" if title == "artifact" else "flavor", "aliases", "files", "size"]
        yield output.table(columns, rows, right=["files", "size"])


def _kind(artifact: ArtifactInfo) -> str:
    return artifact.type if artifact.model is None else str(artifact.model["flavor"])


def _inputs(found: list[Input]) -> Iterator[RenderableType]:
    if found:
        rows: list[tuple[RenderableType, ...]] = [
            (
                f"{used.name}:{used.version}" if used.version else used.name,
                used.type,
                used.context or "",
                used.digest[:12],
                cut(_splits(used.metadata) or used.source or (f"run {used.run}" if used.run else "")),
            )
            for used in found
        ]
        yield output.table(["used", "type", "for", "digest", "splits or source"], rows)


def _splits(metadata: dict[str, Any]) -> str:
    splits = metadata.get("splits")
    return ", ".join(f"{name} {rows}" for name, rows in splits.items()) if isinstance(splits, dict) else ""


def _media(info: RunInfo) -> Iterator[RenderableType]:
    if media := info.media():
        shown = [(m.key, str(m.step), m.type, cut(m.text or m.caption or "")) for m in media[:_MOST]]
        title = f"the first {_MOST} of {len(media)}" if len(media) > _MOST else ""
        yield output.table(["media", "step", "type", "text"], shown, title=title, right=["step"])


def _machine(info: RunInfo) -> Iterator[RenderableType]:
    if environment := info.environment():
        values: list[tuple[RenderableType, ...]] = [
            (name, cut(value(what))) for name, what in environment.items()
        ]
        yield output.table(["environment", "value"], values)
    if looks := info.system():
        rows = [(k, number(m.last), number(m.min), number(m.max), str(m.count)) for k, m in looks.items()]
        columns = ["machine", "last", "min", "max", "looks"]
        yield output.table(columns, rows, right=columns[1:])


def _traces(info: RunInfo) -> Iterator[RenderableType]:
    if traces := info.traces():
        tops = [(trace.spans[0], len(trace.spans)) for trace in traces[:_MOST] if trace.spans]
        rows: list[tuple[RenderableType, ...]] = [
            (cut(top.name), span((top.end - top.start) / 1e9), str(count), cut(top.error or ""))
            for top, count in tops
        ]
        title = f"the first {_MOST} of {len(traces)}" if len(traces) > _MOST else ""
        yield output.table(["trace", "took", "spans", "error"], rows, title=title, right=["took", "spans"])

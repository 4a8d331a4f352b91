"""MLflow's traces as records."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from runcast.backends.mlflow import names
from runcast.backends.mlflow.traces import PLACES, spelled_tags
from runcast.codec import pack
from runcast.records import Span, Trace
from runcast.sources.mlflow.stored import StoredTrace

_TYPES = {"LLM", "CHAIN", "TOOL", "RETRIEVER", "EMBEDDING", "AGENT"}
_HEX = re.compile(r"(?:tr-)?([0-9a-f]{32})")
_INPUTS, _OUTPUTS, _TYPE = "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.spanType"
_NAME = "mlflow.traceName"
_MODEL = "mlflow.modelId"
_MADE = frozenset(
    {
        "mlflow.sourceRun", _MODEL, "mlflow.trace.session", "mlflow.trace_schema.version",
        "mlflow.traceInputs", "mlflow.traceOutputs", "mlflow.trace.sizeStats", "mlflow.trace.sizeBytes",
        "mlflow.trace.tokenUsage", "mlflow.trace.cost", "mlflow.trace.infoFinalized",
    }
)  # fmt: skip
"""Metadata that MLflow makes of the spans, or that is said elsewhere in the record."""
_SESSION = "mlflow.trace.session"


def record(trace: StoredTrace, maker: Callable[[str], str | None]) -> Trace | None:
    """A trace that MLflow's own client wrote, the outermost span first; None where it has no span.

    Args:
        trace: as MLflow has it.
        maker: gives the run that made a logged model.
    """
    spans = sorted((_span(span) for span in trace.spans), key=lambda s: (s.parent is not None, s.start, s.id))
    if not spans:
        return None
    # Sorted: a server gives them in another order each time.
    metadata = {name: text for name, text in sorted(trace.metadata.items()) if name not in _MADE}
    extra = {"metadata": metadata, "assessments": [pack(said) for said in trace.assessments]}
    known = {name: value for name, value in extra.items() if value}
    model = trace.metadata.get(_MODEL)
    run = maker(model) if model else None
    return Trace(
        time=spans[0].start, id=_trace_id(trace.id), spans=spans, session=trace.metadata.get(_SESSION),
        tags=_tags(trace.tags, spans[0].name),
        model={"id": model, **({"run": run} if run else {})} if model else {},
        metadata={"mlflow": known} if known else {}, origin={"tracker": "mlflow", "id": trace.id},
    )  # fmt: skip


class Natives:
    """The traces of a run as MLflow has them, for what somebody added to them since."""

    def __init__(self, found: Iterable[StoredTrace] = ()) -> None:
        self._tags: dict[str, dict[str, str]] = {}
        self._assessments: dict[str, list[dict[str, Any]]] = {}
        for trace in found:
            self._tags[trace.id] = trace.tags
            self._assessments[trace.id] = trace.assessments

    def over(self, said: Trace) -> Trace:
        """A trace as it was said, with the tags and assessments that it has now."""
        native = f"tr-{said.id}"
        if native not in self._tags:
            return said
        changes: dict[str, Any] = {}
        written = spelled_tags(said)
        there = _tags(self._tags[native], said.spans[0].name)
        written.pop(_NAME)
        if there != written:
            kept = {name: text for name, text in said.tags.items() if names.key(name) in there}
            new = {name: text for name, text in there.items() if written.get(name) != text}
            changes["tags"] = kept | new
        known = dict(said.metadata.get("mlflow") or {})
        now = [pack(one) for one in self._assessments[native]]
        if now != known.get("assessments", []):
            changes["metadata"] = {**said.metadata, "mlflow": {**known, "assessments": now}}
        return msgspec.structs.replace(said, **changes) if changes else said


def _span(said: dict[str, Any]) -> Span:
    attributes = {key: _value(text) for key, text in (said.get("attributes") or {}).items()}
    attributes.pop("mlflow.traceRequestId", None)
    kind = attributes.get(_TYPE)
    if kind in _TYPES or kind in ("UNKNOWN", None):
        attributes.pop(_TYPE, None)
    start = said.get("start_time_unix_nano") or said.get("start_time") or 0
    parent = said.get("parent_span_id") or said.get("parent_id")
    return Span(
        id=_id(said.get("span_id") or (said.get("context") or {}).get("span_id") or ""),
        parent=_id(parent) if parent else None,
        name=said.get("name") or "",
        type=kind.lower() if kind in _TYPES else "",
        start=start,
        end=said.get("end_time_unix_nano") or said.get("end_time") or start,
        error=_error(said),
        inputs=attributes.pop(_INPUTS, None),
        outputs=attributes.pop(_OUTPUTS, None),
        attributes=attributes,
        events=[_event(event, start) for event in said.get("events") or ()],
        links=[_link(link) for link in said.get("links") or ()],
    )


def _tags(native: dict[str, str], name: str) -> dict[str, str]:
    """Tags that somebody set: not that of the name, unless it is another than the outermost span's."""
    own = PLACES if native.get(_NAME, name) != name else PLACES | {_NAME}
    return {name: text for name, text in sorted(native.items()) if name not in own}


def _link(said: dict[str, Any]) -> dict[str, Any]:
    link = {"trace": _trace_id(said["trace_id"]), "span": _id(said["span_id"])}
    return {**link, **({"attributes": said["attributes"]} if said.get("attributes") else {})}


def _trace_id(text: str) -> str:
    match = _HEX.fullmatch(text)
    return match[1] if match else hashlib.sha256(text.encode()).hexdigest()[:32]


def _id(text: str) -> str:
    """16 hex digits; MLflow writes them as base64, and wrote them as ``0x...``."""
    plain = text.removeprefix("0x")
    if re.fullmatch("[0-9a-f]{16}", plain):
        return plain
    try:
        return base64.b64decode(text, validate=True).hex()
    except ValueError:
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _value(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _error(said: dict[str, Any]) -> str | None:
    status = said.get("status") or {}
    code, message = (
        (status.get("code"), status.get("message"))
        if isinstance(status, dict)
        else (said.get("status_code"), said.get("status_message"))
    )
    return (message or "error") if "ERROR" in str(code) else None


def _event(event: dict[str, Any], start: int) -> dict[str, Any]:
    return {
        "name": event.get("name", ""),
        "time": event.get("time_unix_nano") or event.get("timestamp") or start,
        "attributes": event.get("attributes") or {},
    }

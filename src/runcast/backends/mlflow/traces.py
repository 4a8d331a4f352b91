"""Traces in MLflow's own form: with the ids and times that the spans had, below the run that made them.

``TracingClient.log_spans`` is what MLflow's exporter calls; over HTTP it becomes OTLP. A trace that comes
twice is stored once, because its ids are the record's.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from runcast.backends.mlflow import names
from runcast.backends.mlflow.plan import Plan, printable
from runcast.backends.mlflow.residual import line
from runcast.codec import pack
from runcast.errors import Reject
from runcast.records import Span, Trace

_PREVIEW = 1000
_SESSION = 250
_FIELDS = {"inputs": "mlflow.spanInputs", "outputs": "mlflow.spanOutputs"}


class Traces:
    """Traces of one run."""

    def __init__(self, uri: str, experiment: str, run_id: str) -> None:
        """`uri` is the tracking URI; `experiment` and `run_id` are MLflow's ids."""
        self._uri, self._experiment, self._run_id = uri, experiment, run_id
        self._client: Any = None

    def log(self, plan: Plan, record: Trace) -> None:
        """Store a trace.

        Raises:
            Reject: it has no span, or this MLflow cannot store whole traces.
        """
        if not record.spans:
            raise Reject(f"trace {record.id} has no spans")
        from mlflow.entities import Span as MlflowSpan

        client = self._connect()
        trace_id = f"tr-{record.id}"
        stored = [MlflowSpan.from_dict(_span(trace_id, span)) for span in record.spans]
        client.start_trace(self._info(trace_id, record))
        client.log_spans(self._experiment, stored)
        spans = [msgspec.structs.asdict(span) for span in record.spans]
        fields = {"id": record.id, "time": record.time, "tags": record.tags, "session": record.session}
        plan.lines.append(line(kind="trace", **fields, spans=spans))

    def _connect(self) -> Any:
        if self._client is None:
            from mlflow.tracing.client import TracingClient

            if not hasattr(TracingClient, "log_spans"):
                raise Reject("this MLflow cannot store finished traces: pip install 'mlflow>=3.5'")
            self._client = TracingClient(self._uri)
        return self._client

    def _info(self, trace_id: str, record: Trace) -> Any:
        from mlflow.entities import TraceInfo, TraceLocation, TraceState

        first = record.spans[0]
        metadata = {"mlflow.sourceRun": self._run_id, "mlflow.trace_schema.version": "3"}
        if record.session:
            metadata["mlflow.trace.session"] = printable(record.session)[:_SESSION]
        tags = {"mlflow.traceName": printable(first.name), **record.tags}
        return TraceInfo(
            trace_id=trace_id,
            trace_location=TraceLocation.from_experiment_id(self._experiment),
            request_time=max(0, first.start // 1_000_000),
            state=TraceState.ERROR if first.error else TraceState.OK,
            request_preview=_text(first.inputs)[:_PREVIEW],
            response_preview=_text(first.outputs)[:_PREVIEW],
            execution_duration=max(0, (first.end - first.start) // 1_000_000),
            trace_metadata=metadata,
            tags={names.key(key): printable(value)[: names.TAG_LIMIT] for key, value in tags.items()},
        )


def _span(trace_id: str, span: Span) -> dict[str, Any]:
    """The dictionary that ``mlflow.entities.Span.from_dict`` takes; attributes are JSON texts."""
    attributes = dict(span.attributes)
    attributes["mlflow.traceRequestId"] = trace_id
    attributes["mlflow.spanType"] = span.type.upper() or "UNKNOWN"
    if "gen_ai.usage.cost" in attributes:  # of which MLflow sums up its own name only
        attributes.setdefault("mlflow.llm.cost", {"total_cost": attributes["gen_ai.usage.cost"]})
    for field, name in _FIELDS.items():
        if getattr(span, field) is not None:
            attributes[name] = getattr(span, field)
    return {
        "trace_id": trace_id,
        "span_id": span.id,
        "parent_span_id": span.parent,
        "name": printable(span.name),
        "start_time_unix_nano": span.start,
        "end_time_unix_nano": span.end,
        "status": {
            "code": "STATUS_CODE_ERROR" if span.error else "STATUS_CODE_OK",
            "message": printable(span.error or ""),
        },
        "attributes": {key: json.dumps(pack(value)) for key, value in attributes.items()},
        "events": [_event(event, span.start) for event in span.events],
    }


def _event(event: dict[str, Any], start: int) -> dict[str, Any]:
    attributes = event.get("attributes") or {}
    # OpenTelemetry knows no nested values here.
    plain = {k: v if isinstance(v, (str, bool, int, float)) else _text(v) for k, v in attributes.items()}
    return {
        "name": str(event.get("name", "")),
        "time_unix_nano": event.get("time", start),
        "attributes": plain,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(pack(value))

"""Traces in MLflow's own form: with the ids and times that the spans had, below the run that made them.

``TracingClient.log_spans`` is what MLflow's exporter calls; over HTTP it becomes OTLP. A trace that comes
twice is stored once, because its ids are the record's.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from runcast.backends.mlflow import names
from runcast.backends.mlflow.links import Links
from runcast.backends.mlflow.plan import Plan, printable
from runcast.backends.mlflow.residual import line
from runcast.backends.mlflow.uris import Store
from runcast.codec import pack, unpack
from runcast.errors import Reject
from runcast.receipts import Made, former_id
from runcast.records import Span, Trace

_PREVIEW = 1000
_SESSION = 250
_ALWAYS = ("id", "time", "tags", "session")
PLACES = frozenset({"mlflow.artifactLocation", "mlflow.trace.spansLocation", "mlflow.trace.archiveLocation"})
"""Tags with which MLflow notes where in its own store a trace is."""
_FIELDS = {"inputs": "mlflow.spanInputs", "outputs": "mlflow.spanOutputs"}


class Traces:
    """Traces of one run."""

    def __init__(self, store: Store, experiment: str, run_id: str, links: Links) -> None:
        """`experiment` and `run_id` are MLflow's ids; `links` finds the models that answered."""
        self._store, self._experiment, self._run_id = store, experiment, run_id
        self._links = links
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
        place = f"traces?selectedEvaluationId={trace_id}"
        plan.made.append(
            Made(
                what="trace",
                key=record.spans[0].name,
                id=trace_id,
                source=former_id(record.origin),
                url=self._store.page(self._experiment, place),
            )
        )
        spans = [msgspec.structs.asdict(span) for span in record.spans]
        said = ("id", "time", "tags", "session", "model", "metadata", "origin")
        fields = {name: value for name in said if (value := getattr(record, name)) or name in _ALWAYS}
        plan.lines.append(line(kind="trace", **fields, spans=spans))

    def _connect(self) -> Any:
        if self._client is None:
            from mlflow.tracing.client import TracingClient

            if not hasattr(TracingClient, "log_spans"):
                raise Reject("this MLflow cannot store finished traces: pip install 'mlflow>=3.5'")
            self._client = TracingClient(self._store.uri)
        return self._client

    def _info(self, trace_id: str, record: Trace) -> Any:
        from mlflow.entities import TraceInfo, TraceLocation, TraceState

        first = record.spans[0]
        known = record.metadata.get("mlflow")
        known = known if isinstance(known, dict) else {}
        metadata = {str(k): printable(str(v)) for k, v in dict(known.get("metadata") or {}).items()}
        metadata |= {"mlflow.sourceRun": self._run_id, "mlflow.trace_schema.version": "3"}
        if record.model and (model := self._links.model(record.model.get("id", ""))) is not None:
            metadata["mlflow.modelId"] = model
        if record.session:
            metadata["mlflow.trace.session"] = printable(record.session)[:_SESSION]
        return TraceInfo(
            trace_id=trace_id,
            trace_location=TraceLocation.from_experiment_id(self._experiment),
            request_time=max(0, first.start // 1_000_000),
            state=TraceState.ERROR if first.error else TraceState.OK,
            request_preview=_text(first.inputs)[:_PREVIEW],
            response_preview=_text(first.outputs)[:_PREVIEW],
            execution_duration=max(0, (first.end - first.start) // 1_000_000),
            trace_metadata=metadata,
            assessments=[_assessment(trace_id, said) for said in known.get("assessments") or ()],
            tags=spelled_tags(record),
        )


def spelled_tags(record: Trace) -> dict[str, str]:
    """A trace's tags as MLflow has them."""
    tags = {"mlflow.traceName": printable(record.spans[0].name), **record.tags}
    return {
        names.key(key): printable(value)[: names.TAG_LIMIT]
        for key, value in tags.items()
        if key not in PLACES
    }


def _assessment(trace_id: str, said: dict[str, Any]) -> Any:
    """What people or judges thought of a trace, with the id and the times that it had."""
    from mlflow.entities import AssessmentSource, Expectation, Feedback
    from mlflow.entities.assessment import AssessmentError

    kind, more = Feedback, {"error": None, "rationale": said.get("rationale")}
    if said.get("type") == "expectation":
        kind, more = Expectation, {}
    elif said.get("error"):
        more["error"] = AssessmentError.from_dictionary(said["error"])
    made = kind(
        name=said["name"], value=unpack(said.get("value")), trace_id=trace_id, metadata=said.get("metadata"),
        source=AssessmentSource(source_type=said["source_type"], source_id=said.get("source_id")),
        span_id=said.get("span"), create_time_ms=said["created"], last_update_time_ms=said["updated"], **more,
    )  # fmt: skip
    made.assessment_id, made.overrides = said.get("id"), said.get("overrides")
    made.valid = said.get("valid", True)
    return made


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
        "links": [
            {"trace_id": f"tr-{link['trace']}", "span_id": link["span"], "attributes": link.get("attributes")}
            for link in span.links
        ],
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

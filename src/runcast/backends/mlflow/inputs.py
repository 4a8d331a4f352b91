"""What a run used: a logged model that is in this MLflow as such, all else as a dataset input."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import msgspec

from runcast.backends.mlflow import names
from runcast.backends.mlflow.links import Links, known
from runcast.backends.mlflow.models import log_metrics
from runcast.backends.mlflow.plan import Plan, printable
from runcast.backends.mlflow.residual import line, shown
from runcast.codec import pack
from runcast.records import Input

TYPE = "runcast.type"
"""Tag of every dataset input that was made here."""
_DIGEST, _TAG, _SCHEMA, _SOURCE, _PROFILE = 36, 500, 1_048_575, 65_535, 1_000_000
"""MLflow's limits in characters; a profile may have 16 MB, which nobody looks at."""


def log(client: Any, run_id: str, plan: Plan, record: Input, links: Links) -> None:
    """Add a dataset input to the run; one that it has already stays as it is.

    Args:
        client: an ``mlflow.MlflowClient``.
        run_id: MLflow's.
        plan: is told what got lost.
        record: a dataset, or an artifact of another run.
        links: finds the logged model where it is one.
    """
    fields = {f: getattr(record, f) for f in record.__struct_fields__ if f not in ("writer", "seq", "files")}
    files = [msgspec.structs.asdict(file) for file in record.files]
    plan.lines.append(line(kind="input", **fields, files=files))
    if (model := links.used(record)) is not None:
        _log_model(client, run_id, model, known(record.origin) or {})
        return
    _log_dataset(client, run_id, plan, record)


def _log_model(client: Any, run_id: str, model: str, said: dict[str, Any]) -> None:
    from mlflow.entities import LoggedModelInput

    inputs = client.get_run(run_id).inputs
    if model not in {one.model_id for one in (inputs.model_inputs if inputs else ())}:
        client.log_inputs(run_id, models=[LoggedModelInput(model)])
    log_metrics(client, run_id, model, said)


def _log_dataset(client: Any, run_id: str, plan: Plan, record: Input) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name = names.experiment(record.name)
    if name != record.name:
        plan.change("renamed", record.name, name)
    if record.type != "dataset":
        plan.change(
            "degraded", record.name, f"MLflow has inputs of type dataset only: this is a {record.type}"
        )
    kind, source = _source(record)
    dataset = Dataset(
        name=name,
        digest=_digest(record),
        source_type=kind,
        source=_json(source, _SOURCE) or "{}",
        schema=_schema(record.metadata.get("schema")),
        profile=_json(_profile(record.metadata), _PROFILE),
    )
    tags = {
        "mlflow.data.context": record.context,
        TYPE: record.type,
        "runcast.digest": record.digest,
        "runcast.version": record.version,
        "runcast.run": record.run,
        "runcast.alias": record.alias,
    }
    given = [InputTag(key, printable(value)[:_TAG]) for key, value in tags.items() if value]
    client.log_inputs(run_id, datasets=[DatasetInput(dataset, given)])


def _digest(record: Input) -> str:
    # The whole one is a tag of the input.
    return (record.digest or shown(f"{record.name}\0{record.version}\0{record.source}"))[:_DIGEST]


def _source(record: Input) -> tuple[str, dict[str, Any]]:
    """The source in the words of ``mlflow.data``: its type, and what that type says."""
    if record.source:
        scheme = urlsplit(record.source).scheme.lower()
        if scheme in ("http", "https"):
            return "http", {"url": record.source}
        if scheme in ("", "file"):
            return "local", {"uri": record.source}
        return scheme, {"uri": record.source}
    if record.run:
        return "runcast", {"run": record.run, "name": record.name, "version": record.version}
    return "code", {"tags": {}}


def _schema(columns: Any) -> str | None:
    if not isinstance(columns, list) or not columns:
        return None
    if isinstance(columns[0], dict) and "tensor-spec" in columns[0]:
        return _json({"mlflow_tensorspec": {"features": json.dumps(columns), "targets": None}}, _SCHEMA)
    return _json({"mlflow_colspec": columns}, _SCHEMA)


def _profile(metadata: dict[str, Any]) -> dict[str, Any] | None:
    given = metadata.get("profile")
    profile = dict(given) if isinstance(given, dict) else {}
    for ours, theirs in (("rows", "num_rows"), ("elements", "num_elements")):
        if ours in profile:
            profile[theirs] = profile.pop(ours)
    if metadata.get("splits"):
        profile["splits"] = metadata["splits"]
    return profile or None


def _json(value: Any, limit: int) -> str | None:
    """`value` as JSON, None where there is none or MLflow refuses that much: the residual has it."""
    text = None if value is None else json.dumps(pack(value))
    return text if text is not None and len(text) <= limit else None

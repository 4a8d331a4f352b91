"""Models: MLflow's logged models, and versions in its registry.

A model is found again by its tag ``runcast.model`` (run, name and digest), and a version by the same
tag: nothing is created twice, whatever was lost on the way.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from runcast.backends.mlflow import links, mlmodel, names, versions
from runcast.backends.mlflow.client import pages
from runcast.backends.mlflow.files import Files
from runcast.backends.mlflow.plan import Plan
from runcast.backends.mlflow.residual import line
from runcast.backends.mlflow.uris import Store
from runcast.codec import unpack
from runcast.receipts import Made, former_id
from runcast.records import Model

IDENTITY = "runcast.model"
_VERSIONS = "mlflow.modelVersions"


class Models:
    """The models of one run."""

    def __init__(self, client: Any, store: Store, experiment: str, run_id: str, files: Files) -> None:
        """`client` is an ``mlflow.MlflowClient``; `experiment` and `run_id` are MLflow's ids."""
        self._client, self._store, self._files = client, store, files
        self._experiment, self._run_id = experiment, run_id

    def upload(self, plan: Plan, record: Model) -> None:
        """Log a model, and register a version of it where the script wants one.

        Raises:
            Reject: a file's content is missing, or the signature is none.
        """
        what = f"model {record.name!r}"
        sources = {file.path: self._files.content(what, file) for file in record.files if not file.uri}
        native = names.model(record.name)
        if native != record.name:
            plan.change("renamed", record.name, native)
        made = mlmodel.layout(record)
        if made.lesser:
            plan.change("degraded", record.name, made.lesser)
        identity = _identity(record, self._run_id)
        model = self._logged(record, native, identity)
        size = sum(file.size for file in record.files)
        files = mlmodel.described(record, made, model_id=model.model_id, run_id=self._run_id, size=size)
        for path, source in sources.items():
            place = made.places.get(path, names.artifact_path(path))
            files[place] = source
        for path, content in files.items():
            self._files.put(path, content, model=model.model_id)
        self._client.finalize_logged_model(model.model_id, "READY")
        self._link(model.model_id, record.step or 0)
        log_metrics(self._client, self._run_id, model.model_id, links.known(record.origin) or {})
        if record.register_as:
            self._register(plan, record, model, identity)
        plan.made.append(
            Made(
                what="model",
                key=record.name,
                id=model.model_id,
                source=former_id(record.origin),
                url=self._store.page(self._experiment, f"models/{model.model_id}"),
            )
        )
        plan.lines.append(_line(record, model.model_id, made))

    def _logged(self, record: Model, native: str, identity: str) -> Any:
        # Filtering by tag is not the same on all stores; a run logs few models.
        for model in pages(self._search_models):
            if model.tags.get(IDENTITY) == identity:
                return model
        tags = {IDENTITY: identity, links.DIGEST: record.digest, **links.origin_tag(record.origin)}
        if record.aliases:
            tags["runcast.aliases"] = json.dumps(record.aliases)
        known = links.known(record.origin)
        return self._client.create_logged_model(
            self._experiment,
            name=native,
            source_run_id=self._run_id,
            tags={**(known or {}).get("tags", {}), **tags},
            params=(known or {}).get("params", {}),
            model_type=record.flavor if known is None else known.get("type"),
        )

    def _search_models(self, token: str | None) -> Any:
        return self._client.search_logged_models(
            [self._experiment], filter_string=f"source_run_id = '{self._run_id}'", page_token=token
        )

    def _link(self, model_id: str, step: int) -> None:
        """Make the model an output of the run; MLflow would take the same one twice."""
        from mlflow.entities import LoggedModelOutput

        outputs = self._client.get_run(self._run_id).outputs
        if model_id not in {model.model_id for model in (outputs.model_outputs if outputs else ())}:
            self._client.log_outputs(self._run_id, [LoggedModelOutput(model_id, step)])

    def _register(self, plan: Plan, record: Model, model: Any, identity: str) -> None:
        said = str(record.register_as)
        name = names.registered_model(said)
        if name != said:
            plan.change("renamed", said, name)
        try:
            self._client.create_registered_model(name)
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self._version(name, model, identity)
        for said_alias in record.aliases:
            alias = names.alias(said_alias)
            if alias != said_alias:
                plan.change("renamed", said_alias, alias)
            self._client.set_registered_model_alias(name, alias, version)
        known = json.loads(self._client.get_logged_model(model.model_id).tags.get(_VERSIONS, "[]"))
        entry = {"name": name, "version": version}
        if entry not in known:  # by which MLflow's page of the model finds its versions
            self._client.set_logged_model_tags(model.model_id, {_VERSIONS: json.dumps([*known, entry])})

    def _version(self, name: str, model: Any, identity: str) -> str:
        def search(token: str | None) -> Any:
            return self._client.search_model_versions(f"name = '{name}'", page_token=token)

        for version in pages(search):
            if version.tags.get(IDENTITY) == identity:
                return str(version.version)
        made = versions.created(self._client, name, model, self._run_id, {IDENTITY: identity})
        return str(made.version)


def log_metrics(client: Any, run_id: str, model_id: str, known: dict[str, Any]) -> None:
    """Say again which metrics were of a model; the run has the same points already, or gets them."""
    for key, value, milliseconds, step, dataset, digest in known.get("metrics", ()):
        client.log_metric(
            run_id,
            key,
            unpack(value),
            timestamp=milliseconds,
            step=step,
            model_id=model_id,
            dataset_name=dataset,
            dataset_digest=digest,
        )


def _identity(record: Model, run_id: str) -> str:
    text = f"{run_id}\0{record.name}\0{record.digest}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _line(record: Model, model_id: str, made: mlmodel.Layout) -> bytes:
    def place(path: str) -> str:
        return made.places.get(path, names.artifact_path(path))

    return line(
        kind="model",
        name=record.name,
        time=record.time,
        model=model_id,
        flavor=record.flavor,
        digest=record.digest,
        step=record.step,
        files=[
            {"path": f.path, "as": place(f.path), "sha256": f.sha256, "size": f.size, "uri": f.uri}
            for f in record.files
        ],
        signature=record.signature,
        example=record.example,
        requirements=record.requirements,
        register_as=record.register_as,
        aliases=record.aliases,
        metadata=record.metadata,
        data=record.data,
        origin=record.origin,
    )

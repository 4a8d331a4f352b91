"""A server, through MLflow's own client."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from runcast.backends.mlflow.client import pages, prepare, translated
from runcast.backends.mlflow.runs import RUN_ID
from runcast.backends.mlflow.uris import Store
from runcast.errors import AwayError, ConfigError, Halt, Reject, Retry, SourceError
from runcast.hosts import LONGEST
from runcast.sources.mlflow import files
from runcast.sources.mlflow.patience import patient
from runcast.sources.mlflow.registry import RegisteredModel, Version
from runcast.sources.mlflow.spool import Spool
from runcast.sources.mlflow.stored import (
    FEW,
    OUTSIDE,
    Dataset,
    LoggedModel,
    Point,
    Reader,
    StoredRun,
    StoredTrace,
    Trouble,
    outside,
)  # fmt: skip

_TIMEOUT = 30.0
_PAGE = 1000
_READY = "mlflow: pip install 'runcast[mlflow]'"


class ClientReader(Reader):
    """Reads what ``mlflow.MlflowClient`` reaches."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._away = False
        """Whether the last question was in vain; then the next is asked once, and not for every run again."""
        prepare(_TIMEOUT)
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise ConfigError(f"reading {store.shown} needs {_READY}") from error
        with self._told():
            self._client: Any = MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
        self._names: dict[str, str | None] = {}

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with contextlib.nullcontext() if self._away else patient(), translated(self._store, LONGEST):
                yield
            self._away = False
        except Halt as error:
            raise ConfigError(str(error)) from None
        except Retry as error:
            self._away = True
            raise AwayError(str(error)) from None
        except Reject as error:
            raise SourceError(str(error)) from None

    def _pages(self, search: Callable[[str | None], Any]) -> Iterator[Any]:
        def told(token: str | None) -> Any:
            with self._told():
                return search(token)

        return pages(told)

    def runs(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        """See `Reader.runs`."""
        client = self._client
        if 0 < len(ids) <= FEW:
            yield from self._chosen(experiment, ids)
            return
        found = self._pages(lambda token: client.search_experiments(max_results=_PAGE, page_token=token))
        names = {e.experiment_id: e.name for e in found if experiment(e.name)}
        for number in names:

            def search(token: str | None, number: str = number) -> Any:
                return client.search_runs(
                    [number], max_results=_PAGE, page_token=token, order_by=["attributes.start_time ASC"]
                )

            for run in self._pages(search):
                if not ids or run.info.run_id in ids:
                    yield _run(run, names[number])

    def _chosen(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        """Runs by their ids, of experiments that are not deleted; what is not there is left out."""
        found = []
        for id_ in dict.fromkeys(ids):
            run = self._if_there(self._client.get_run, id_)
            if run is None or run.info.lifecycle_stage != "active":
                continue
            number = run.info.experiment_id
            if number not in self._names:
                group = self._if_there(self._client.get_experiment, number)
                active = group is not None and group.lifecycle_stage == "active"
                self._names[number] = str(group.name) if active else None
            name = self._names[number]
            if name is not None and experiment(name):
                found.append(_run(run, name))
        yield from sorted(found, key=lambda run: (run.start or 0, run.id))

    def _if_there(self, get: Callable[[str], Any], id_: str) -> Any:
        from mlflow.exceptions import MlflowException

        with self._told():
            try:
                return get(id_)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None  # the latter: it is no id at all
                raise

    def outside(self, experiment: Callable[[str], bool]) -> Iterator[StoredRun]:
        """See `Reader.outside`."""
        client = self._client
        found = self._pages(lambda token: client.search_experiments(max_results=_PAGE, page_token=token))
        for number, name in [(e.experiment_id, e.name) for e in found if experiment(e.name)]:
            looks = [
                (trace.info.trace_id, trace.info.request_time)
                for trace in self._loose_traces(number, include_spans=False)
            ]
            looks += [(model.model_id, model.creation_timestamp) for model in self._loose_models(number)]
            if looks:
                yield outside(number, name, [time for _, time in looks], f"{len(looks)} {max(looks)}")

    def _loose_traces(self, experiment: str, **how: Any) -> Iterator[Any]:
        client = self._client

        def search(token: str | None) -> Any:
            return client.search_traces(
                locations=[experiment], page_token=token, order_by=["timestamp_ms ASC"], **how
            )

        return (t for t in self._pages(search) if not t.info.trace_metadata.get("mlflow.sourceRun"))

    def _loose_models(self, experiment: str) -> Iterator[Any]:
        client = self._client

        def search(token: str | None) -> Any:
            return client.search_logged_models([experiment], page_token=token)

        every = (model for model in self._pages(search) if not model.source_run_id)
        return (model for model in every if not any(tag.startswith("runcast.") for tag in model.tags))

    def _get(self, id_: str) -> Any:
        with self._told():
            return self._client.get_run(id_)

    def params(self, run: StoredRun) -> dict[str, str]:
        """See `Reader.params`."""
        return dict(self._get(run.id).data.params) if run.params is None else run.params

    def points(self, run: StoredRun, trouble: Trouble) -> Iterator[Point]:
        """See `Reader.points`."""
        with Spool(4) as spool:
            for key in self._get(run.id).data.metrics:
                with self._told():
                    history = self._client.get_metric_history(run.id, key)
                # SQLite has no NaN: it stores none as null.
                spool.fill((m.timestamp, m.step, m.key, m.value) for m in history)
            for ms, step, key, value in spool.sorted(2, 3):
                yield ms, step, key, float("nan") if value is None else value

    def datasets(self, run: StoredRun) -> list[Dataset]:
        """See `Reader.datasets`."""
        inputs = self._get(run.id).inputs
        return [
            Dataset(
                name=item.dataset.name, digest=item.dataset.digest, source_type=item.dataset.source_type,
                source=item.dataset.source, schema=item.dataset.schema or None,
                profile=item.dataset.profile or None, tags={tag.key: tag.value for tag in item.tags},
            )
            for item in (inputs.dataset_inputs if inputs else ())
        ]  # fmt: skip

    def models(self, run: StoredRun) -> list[LoggedModel]:
        """See `Reader.models`."""
        if run.outside:
            loose = [_model(model, run) for model in self._loose_models(run.experiment_id)]
            return sorted(loose, key=lambda model: (model.created, model.id))
        client, outputs = self._client, self._get(run.id).outputs
        steps = {model.model_id: model.step for model in (outputs.model_outputs if outputs else ())}

        def search(token: str | None) -> Any:
            return client.search_logged_models(
                [run.experiment_id], filter_string=f"source_run_id = '{run.id}'", page_token=token
            )

        found = [_model(model, run) for model in self._pages(search)]
        for one in found:
            one.step = steps.get(one.id) or 0
        return sorted(found, key=lambda model: (model.created, model.id))

    def used(self, run: StoredRun) -> list[LoggedModel]:
        """See `Reader.used`."""
        inputs = self._get(run.id).inputs
        found = []
        for one in (getattr(inputs, "model_inputs", None) or ()) if inputs else ():
            with contextlib.suppress(SourceError), self._told():  # it is deleted
                found.append(_model(self._client.get_logged_model(one.model_id), run))
        return sorted(found, key=lambda model: (model.created, model.id))

    def maker(self, model: str) -> str | None:
        """See `Reader.maker`."""
        try:
            with self._told():
                return _maker(self._client.get_logged_model(model))
        except SourceError:
            return None

    def traces(self, run: StoredRun) -> Iterator[StoredTrace]:
        """See `Reader.traces`."""
        client = self._client

        def search(token: str | None) -> Any:
            return client.search_traces(
                locations=[run.experiment_id],
                run_id=run.id,
                page_token=token,
                order_by=["timestamp_ms ASC"],
            )

        for trace in self._loose_traces(run.experiment_id) if run.outside else self._pages(search):
            yield StoredTrace(
                id=trace.info.trace_id,
                started=trace.info.request_time,
                tags=dict(trace.info.tags),
                metadata=dict(trace.info.trace_metadata),
                assessments=[said for one in trace.info.assessments or () if (said := _assessment(one))],
                spans=[span.to_dict() for span in trace.data.spans],
            )

    def files(self, place: str) -> files.Files:
        """See `Reader.files`."""
        return files.at(place, None, self._store.uri)

    def run_of(self, runcast: str) -> str | None:
        """See `Reader.run_of`."""
        client = self._client
        quote = '"' if "'" in runcast else "'"
        with self._told():
            experiments = [e.experiment_id for e in client.search_experiments()]
            wanted = f"tags.`{RUN_ID}` = {quote}{runcast}{quote}"
            found = client.search_runs(experiments, filter_string=wanted, max_results=1)
        return str(found[0].info.run_id) if found else None

    def place_of_run(self, id: str) -> str:
        """See `Reader.place_of_run`."""
        try:
            return str(self._get(id).info.artifact_uri)
        except SourceError:
            return ""

    def place_of_model(self, id: str) -> str:
        """See `Reader.place_of_model`."""
        try:
            with self._told():
                return str(self._client.get_logged_model(id).artifact_location)
        except SourceError:
            return ""

    def registered(self) -> Iterator[RegisteredModel]:
        """See `Reader.registered`."""
        client = self._client
        for model in self._pages(lambda token: client.search_registered_models(page_token=token)):

            def search(token: str | None, name: str = model.name) -> Any:
                quote = '"' if "'" in name else "'"
                return client.search_model_versions(f"name = {quote}{name}{quote}", page_token=token)

            versions = [
                Version(
                    version=int(v.version), source=v.source or "", run=v.run_id or None,
                    stage=v.current_stage or "None", description=v.description or "",
                    created=v.creation_timestamp or 0, status=str(v.status or ""), tags=dict(v.tags),
                )
                for v in self._pages(search)
            ]  # fmt: skip
            yield RegisteredModel(
                name=model.name,
                description=model.description or "",
                created=model.creation_timestamp or 0,
                tags=dict(model.tags),
                aliases={alias: int(version) for alias, version in model.aliases.items()},
                versions=sorted(versions, key=lambda version: version.version),
            )


def _run(run: Any, experiment: str) -> StoredRun:
    return StoredRun(
        id=run.info.run_id, experiment_id=str(run.info.experiment_id), experiment=experiment,
        name=run.info.run_name or "", status=run.info.status, start=run.info.start_time,
        end=run.info.end_time, files=run.info.artifact_uri or "", user=run.info.user_id or "",
        tags=dict(run.data.tags), params=dict(run.data.params),
        change=repr((sorted(run.data.metrics.items()), sorted(run.data.params.items()))),
    )  # fmt: skip


def _model(model: Any, run: StoredRun) -> LoggedModel:
    metrics = [
        (m.key, m.value, m.timestamp, m.step, m.dataset_name, m.dataset_digest)
        for m in model.metrics or ()
        if m.run_id == run.id
    ]
    return LoggedModel(
        id=model.model_id, name=model.name, created=model.creation_timestamp, files=model.artifact_location,
        run=_maker(model), type=model.model_type, params=dict(model.params),
        tags=dict(model.tags), metrics=sorted(metrics, key=lambda m: (m[2], m[3], m[0])),
    )  # fmt: skip


def _maker(model: Any) -> str:
    return model.source_run_id or f"{OUTSIDE}{model.experiment_id}"


def _assessment(one: Any) -> dict[str, Any] | None:
    """See `StoredTrace`; None of a kind that is not known here."""
    kind = "feedback" if one.feedback is not None else "expectation" if one.expectation is not None else ""
    if not kind:
        return None
    error = one.feedback.error if kind == "feedback" else None
    said = {
        "id": one.assessment_id, "type": kind, "name": one.name, "value": getattr(one, kind).value,
        "source_type": one.source.source_type, "created": one.create_time_ms,
        "updated": one.last_update_time_ms, "valid": one.valid is not False,
        "error": error.to_dictionary() if error else None, "rationale": one.rationale,
        "source_id": one.source.source_id, "span": one.span_id, "overrides": one.overrides,
        "metadata": dict(sorted(one.metadata.items())) if one.metadata else None,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}

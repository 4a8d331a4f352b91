"""A server, through MLflow's own client."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from runcast.backends.mlflow.client import prepare, translated
from runcast.backends.mlflow.runs import RUN_ID
from runcast.backends.mlflow.uris import Store
from runcast.errors import AwayError, ConfigError, Halt, Reject, Retry, SourceError
from runcast.hosts import LONGEST
from runcast.sources.mlflow import files
from runcast.sources.mlflow.patience import patient
from runcast.sources.mlflow.registry import RegisteredModel, Version
from runcast.sources.mlflow.spool import Spool
from runcast.sources.mlflow.stored import (
    Dataset,
    LoggedModel,
    Point,
    Reader,
    StoredRun,
    StoredTrace,
    Trouble,
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
        token: str | None = None
        while True:
            with self._told():
                page = search(token)
            yield from page
            token = page.token
            if not token:
                return

    def runs(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        """See `Reader.runs`."""
        client = self._client
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
        client, outputs = self._client, self._get(run.id).outputs
        steps = {model.model_id: model.step for model in (outputs.model_outputs if outputs else ())}

        def search(token: str | None) -> Any:
            return client.search_logged_models(
                [run.experiment_id], filter_string=f"source_run_id = '{run.id}'", page_token=token
            )

        found = [
            LoggedModel(
                id=model.model_id, name=model.name, created=model.creation_timestamp,
                files=model.artifact_location, type=model.model_type,
                step=steps.get(model.model_id) or 0, params=dict(model.params), tags=dict(model.tags),
            )
            for model in self._pages(search)
        ]  # fmt: skip
        return sorted(found, key=lambda model: (model.created, model.id))

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

        for trace in self._pages(search):
            yield StoredTrace(
                id=trace.info.trace_id,
                started=trace.info.request_time,
                tags=dict(trace.info.tags),
                metadata=dict(trace.info.trace_metadata),
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

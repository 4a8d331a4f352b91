"""MLflow's tables, read directly: its client takes 25 times as long for a history, and holds all of it.

Only columns that MLflow has had since 1.0 are needed; tables that came later (datasets, logged models,
traces) are read where they are. A database with other columns is refused: see `SqlReader`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runcast.backends.mlflow.runs import RUN_ID
from runcast.backends.mlflow.uris import Store
from runcast.errors import ConfigError
from runcast.sources.mlflow import files
from runcast.sources.mlflow.database import Database
from runcast.sources.mlflow.registry import RegisteredModel, Version
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

_NEEDED = {
    "experiments": {"experiment_id", "name", "lifecycle_stage"},
    "runs": {
        "run_uuid", "name", "status", "user_id", "start_time", "end_time", "artifact_uri", "experiment_id",
        "lifecycle_stage",
    },
    "metrics": {"run_uuid", "key", "value", "timestamp", "step", "is_nan"},
    "params": {"run_uuid", "key", "value"},
    "tags": {"run_uuid", "key", "value"},
}  # fmt: skip
_RUNS = """select r.run_uuid, r.experiment_id, e.name, r.name, r.status, r.start_time, r.end_time,
 r.artifact_uri, r.user_id from runs r join experiments e on r.experiment_id = e.experiment_id
 where r.lifecycle_stage = 'active' and e.lifecycle_stage = 'active' {chosen}
 order by r.start_time, r.run_uuid"""
_POINTS = """select timestamp, step, key, value, is_nan from metrics where run_uuid = :run
 order by timestamp, step, key, value"""
_DATASETS = """select d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema,
 d.dataset_profile, i.input_uuid from inputs i join datasets d on d.dataset_uuid = i.source_id
 where i.source_type = 'DATASET' and i.destination_type = 'RUN' and i.destination_id = :run
 order by d.name, d.digest"""
_MODEL = """select m.model_id, m.name, m.creation_timestamp_ms, m.artifact_location, m.model_type,
 m.source_run_id, m.experiment_id"""
_MODELS = f"""{_MODEL} from logged_models m
 where source_run_id = :run and lifecycle_stage = 'active' order by creation_timestamp_ms, model_id"""
_USED = f"""{_MODEL} from logged_models m join inputs i on i.destination_id = m.model_id
 where i.source_type = 'RUN_INPUT' and i.source_id = :run and i.destination_type = 'MODEL_INPUT'
 and m.lifecycle_stage = 'active' order by m.creation_timestamp_ms, m.model_id"""
_SCORES = """select metric_name, metric_value, metric_timestamp_ms, metric_step, dataset_name, dataset_digest
 from logged_model_metrics where model_id = :id and run_id = :run
 order by metric_timestamp_ms, metric_step, metric_name, metric_value"""
_ASSESSED = """select assessment_id, assessment_type, name, value, error, rationale, source_type, source_id,
 span_id, created_timestamp, last_updated_timestamp, overrides, valid, assessment_metadata from assessments
 where trace_id = :id order by created_timestamp, assessment_id"""
_OUTPUTS = """select destination_id, step from inputs where source_type = 'RUN_OUTPUT'
 and source_id = :run and destination_type = 'MODEL_OUTPUT'"""
_TRACES = """select t.request_id, t.timestamp_ms from trace_info t
 join trace_request_metadata m on m.request_id = t.request_id
 where m.key = 'mlflow.sourceRun' and m.value = :run order by t.timestamp_ms, t.request_id"""
_TRACED = (
    "select count(*) from trace_request_metadata where key = 'mlflow.sourceRun' and value = :id",
    """select count(*) from trace_tags t join trace_request_metadata m on t.request_id = m.request_id
 where m.key = 'mlflow.sourceRun' and m.value = :id""",
)
_JUDGED = """select count(*), max(a.last_updated_timestamp) from assessments a
 join trace_request_metadata m on a.trace_id = m.request_id
 where m.key = 'mlflow.sourceRun' and m.value = :id"""
_NO_RUN = """not exists (select 1 from trace_request_metadata m
 where m.request_id = t.request_id and m.key = 'mlflow.sourceRun')"""
_TRACES_OUTSIDE = f"""select t.request_id, t.timestamp_ms from trace_info t
 where t.experiment_id = :experiment and {_NO_RUN} order by t.timestamp_ms, t.request_id"""  # noqa: S608  # our own text
_LOOSE = """m.lifecycle_stage = 'active' and (m.source_run_id is null or m.source_run_id = '')
 and not exists
 (select 1 from logged_model_tags g where g.model_id = m.model_id and g.tag_key like 'runcast.%')"""
_MODELS_OUTSIDE = f"""{_MODEL} from logged_models m where m.experiment_id = :experiment and {_LOOSE}
 order by m.creation_timestamp_ms, m.model_id"""
_LOOSE_TRACES = f"""select e.experiment_id, e.name, count(*), min(t.timestamp_ms), max(t.timestamp_ms)
 from trace_info t join experiments e on t.experiment_id = e.experiment_id
 where e.lifecycle_stage = 'active' and {_NO_RUN} group by e.experiment_id, e.name
 order by e.experiment_id"""  # noqa: S608  # as above
_LOOSE_MODELS = f"""select e.experiment_id, e.name, count(*), min(m.creation_timestamp_ms),
 max(m.creation_timestamp_ms) from logged_models m join experiments e on m.experiment_id = e.experiment_id
 where e.lifecycle_stage = 'active' and {_LOOSE} group by e.experiment_id, e.name
 order by e.experiment_id"""  # noqa: S608  # as above
_SPANS = "select content from spans where trace_id = :id order by start_time_unix_nano, span_id"


class SqlReader(Reader):
    """Reads a database by itself; MLflow's own client would bring an old one up to date, and so change it.

    Raises:
        ConfigError: it is none of MLflow's, or one whose tables are not known here.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = Database(store)
        with contextlib.ExitStack() as otherwise:
            otherwise.callback(self._database.close)
            self._check()
            self._tables = {
                table
                for table in ("inputs", "logged_models", "trace_info", "spans", "assessments")
                if self._database.columns(table)
            }
            otherwise.pop_all()

    def _check(self) -> None:
        shown = self._store.shown
        if not self._database.columns("alembic_version") or not self._database.columns("runs"):
            raise ConfigError(f"{shown} is no database of MLflow's: it has no table of runs")
        for table, needed in _NEEDED.items():
            if missing := needed - self._database.columns(table):
                raise ConfigError(
                    f"{shown} is damaged, or of an MLflow not known here: its table {table} has no "
                    f"{min(missing)}; start that version's `mlflow server` over a copy, and name the server"
                )

    def runs(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        """See `Reader.runs`."""
        few = {f"id{number}": id_ for number, id_ in enumerate(ids)} if len(ids) <= FEW else {}
        query = _RUNS.format(chosen=f"and r.run_uuid in (:{', :'.join(few)})" if few else "")
        rows = self._database.rows(query, **few)
        for id_, number, group, name, status, start, end, place, user in rows:
            if experiment(group) and (not ids or id_ in ids):
                run = StoredRun(
                    id=id_, experiment_id=str(number), experiment=group, name=name or "", status=status,
                    start=None if start is None else int(start), end=None if end is None else int(end),
                    files=place or "", user=user or "",
                    tags=self._pairs("tags", "run_uuid", id_),
                )  # fmt: skip
                run.points = self._count("metrics", "run_uuid", id_)
                run.change = self._change(id_)
                yield run

    def _pairs(self, table: str, by: str, id_: str, key: str = "key", value: str = "value") -> dict[str, str]:
        query = f"select {key}, {value} from {table} where {by} = :id order by {key}"  # noqa: S608  # our names
        return {name: text or "" for name, text in self._database.rows(query, id=id_)}

    def _count(self, table: str, by: str, id_: str) -> int:
        query = f"select count(*) from {table} where {by} = :id"  # noqa: S608  # names of our own
        ((count,),) = self._database.rows(query, id=id_)
        return int(count)

    def _change(self, id_: str) -> str:
        counts: list[Any] = [self._count("params", "run_uuid", id_)]
        if "inputs" in self._tables:
            counts += [self._count("inputs", "destination_id", id_), self._count("inputs", "source_id", id_)]
        if "logged_models" in self._tables:
            query = "select max(last_updated_timestamp_ms) from logged_models where source_run_id = :id"
            counts += [row[0] for row in self._database.rows(query, id=id_)]
        if "trace_info" in self._tables:
            counts += [row[0] for query in _TRACED for row in self._database.rows(query, id=id_)]
        if "assessments" in self._tables:
            counts += [value for row in self._database.rows(_JUDGED, id=id_) for value in row]
        return " ".join(map(str, counts))

    def outside(self, experiment: Callable[[str], bool]) -> Iterator[StoredRun]:
        """See `Reader.outside`."""
        found: dict[tuple[str, str], list[Any]] = {}
        for table, query in (("trace_info", _LOOSE_TRACES), ("logged_models", _LOOSE_MODELS)):
            for number, name, *facts in self._database.rows(query) if table in self._tables else ():
                found.setdefault((str(number), name), []).extend(facts)
        for (number, name), facts in found.items():
            if experiment(name):
                times = [int(time) for start in (1, 2) for time in facts[start::3]]
                yield outside(number, name, times, " ".join(map(str, facts)))

    def params(self, run: StoredRun) -> dict[str, str]:
        """See `Reader.params`."""
        return self._pairs("params", "run_uuid", run.id)

    def points(self, run: StoredRun, trouble: Trouble) -> Iterator[Point]:
        """See `Reader.points`."""
        nan = float("nan")
        for ms, step, key, value, is_nan in self._database.rows(_POINTS, run=run.id):
            yield int(ms), int(step), key, nan if is_nan else float(value)

    def datasets(self, run: StoredRun) -> list[Dataset]:
        """See `Reader.datasets`."""
        if "inputs" not in self._tables:
            return []
        return [
            Dataset(
                name=name, digest=digest, source_type=kind, source=source, schema=schema, profile=profile,
                tags=self._pairs("input_tags", "input_uuid", id_, "name"),
            )
            for name, digest, kind, source, schema, profile, id_ in self._database.rows(_DATASETS, run=run.id)
        ]  # fmt: skip

    def models(self, run: StoredRun) -> list[LoggedModel]:
        """See `Reader.models`."""
        if "logged_models" not in self._tables:
            return []
        steps = {row[0]: row[1] for row in self._database.rows(_OUTPUTS, run=run.id)}
        rows = (
            self._database.rows(_MODELS_OUTSIDE, experiment=int(run.experiment_id))
            if run.outside
            else self._database.rows(_MODELS, run=run.id)
        )
        found = [self._model(row, run) for row in list(rows)]
        for model in found:
            model.step = int(steps.get(model.id, 0))
        return found

    def _model(self, row: Sequence[Any], run: StoredRun) -> LoggedModel:
        id_, name, created, place, kind, maker, experiment = row
        return LoggedModel(
            id=id_, name=name, created=created, files=place, type=kind, run=maker or f"{OUTSIDE}{experiment}",
            params=self._pairs("logged_model_params", "model_id", id_, "param_key", "param_value"),
            tags=self._pairs("logged_model_tags", "model_id", id_, "tag_key", "tag_value"),
            metrics=[
                (key, float("nan" if value is None else value), int(ms), int(step), dataset, digest)
                for key, value, ms, step, dataset, digest in self._database.rows(_SCORES, id=id_, run=run.id)
            ],
        )  # fmt: skip

    def used(self, run: StoredRun) -> list[LoggedModel]:
        """See `Reader.used`."""
        if not {"logged_models", "inputs"} <= self._tables:
            return []
        return [self._model(row, run) for row in list(self._database.rows(_USED, run=run.id))]

    def maker(self, model: str) -> str | None:
        """See `Reader.maker`."""
        if "logged_models" not in self._tables:
            return None
        query = "select source_run_id, experiment_id from logged_models where model_id = :id"
        for run, number in list(self._database.rows(query, id=model)):
            return str(run or f"{OUTSIDE}{number}")
        return None

    def traces(self, run: StoredRun) -> Iterator[StoredTrace]:
        """See `Reader.traces`."""
        if "trace_info" not in self._tables:
            return
        rows = (
            self._database.rows(_TRACES_OUTSIDE, experiment=int(run.experiment_id))
            if run.outside
            else self._database.rows(_TRACES, run=run.id)
        )
        for id_, started in list(rows):
            tags = self._pairs("trace_tags", "request_id", id_)
            trace = StoredTrace(id=id_, started=started, tags=tags)
            trace.metadata = self._pairs("trace_request_metadata", "request_id", id_)
            if "spans" in self._tables:
                trace.spans = [json.loads(content) for (content,) in self._database.rows(_SPANS, id=id_)]
            if not trace.spans and (place := tags.get("mlflow.artifactLocation")):  # before MLflow 3.5
                trace.spans = json.loads(self.files(place).read("traces.json"))["spans"]
            if "assessments" in self._tables:
                trace.assessments = [_assessment(*row) for row in self._database.rows(_ASSESSED, id=id_)]
            yield trace

    def files(self, place: str) -> files.Files:
        """See `Reader.files`."""
        beside = self._store.database.parent if self._store.database is not None else None
        return files.at(place, beside, None)

    def run_of(self, runcast: str) -> str | None:
        """See `Reader.run_of`."""
        query = "select run_uuid from tags where key = :key and value = :value"
        for (id_,) in self._database.rows(query, key=RUN_ID, value=runcast):
            return str(id_)
        return None

    def place_of_run(self, id: str) -> str:
        """See `Reader.place_of_run`."""
        found = self._database.rows("select artifact_uri from runs where run_uuid = :id", id=id)
        return next((str(place) for (place,) in found), "")

    def place_of_model(self, id: str) -> str:
        """See `Reader.place_of_model`."""
        if "logged_models" not in self._tables:
            return ""
        query = "select artifact_location from logged_models where model_id = :id"
        return next((str(place) for (place,) in self._database.rows(query, id=id)), "")

    def registered(self) -> Iterator[RegisteredModel]:
        """See `Reader.registered`."""
        if not self._database.columns("registered_models"):
            return
        has_aliases = bool(self._database.columns("registered_model_aliases"))
        query = "select name, description, creation_time from registered_models order by name"
        for name, description, created in list(self._database.rows(query)):
            model = RegisteredModel(name=name, description=description or "", created=created or 0)
            model.tags = self._pairs("registered_model_tags", "name", name)
            if has_aliases:
                aliases = self._pairs("registered_model_aliases", "name", name, "alias", "version")
                model.aliases = {alias: int(version) for alias, version in aliases.items()}
            model.versions = list(self._versions(name))
            yield model

    def _versions(self, name: str) -> Iterator[Version]:
        query = """select version, source, run_id, current_stage, description, creation_time, status
 from model_versions
 where name = :name and current_stage != 'Deleted_Internal' order by version"""
        for version, source, run, stage, description, created, status in list(
            self._database.rows(query, name=name)
        ):
            tags = "select key, value from model_version_tags where name = :name and version = :version"
            pairs = self._database.rows(tags, name=name, version=version)
            yield Version(
                version=version, source=source or "", run=run or None, stage=stage or "None",
                description=description or "", created=created or 0, status=status or "",
                tags={key: value or "" for key, value in pairs},
            )  # fmt: skip

    def close(self) -> None:
        """See `Reader.close`."""
        self._database.close()


def _assessment(
    id_: str, kind: str, name: str, value: str, error: str | None, rationale: str | None, source: str,
    by: str | None, span: str | None, created: int, updated: int, overrides: str | None, valid: Any,
    metadata: str | None,
) -> dict[str, Any]:  # fmt: skip
    said = {
        "id": id_, "type": kind, "name": name, "value": json.loads(value), "source_type": source,
        "created": created, "updated": updated, "valid": bool(valid),
    }  # fmt: skip
    more = {
        "error": json.loads(error) if error else None, "rationale": rationale, "source_id": by, "span": span,
        "overrides": overrides, "metadata": json.loads(metadata) if metadata else None,
    }  # fmt: skip
    return {**said, **{name: value for name, value in more.items() if value is not None}}

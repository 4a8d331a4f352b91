"""`MlflowRegistry`: through MLflow's public client, on a database or a server.

What MLflow has no slot for stands in tags: of a version ``runcast.version`` (its identity) and
``runcast.facts``; of a registered model one tag for each event, so that two who write at once never overwrite
each other.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from runcast.backends.mlflow import names, versions
from runcast.backends.mlflow.client import connect, translated
from runcast.backends.mlflow.uris import mask, parse
from runcast.catalog.values import json_in, json_out
from runcast.errors import Reject
from runcast.plugins.registry import Candidate, Event, ModelVersion
from runcast.registries.mlflow.upload import IDENTITY, every, uploaded
from runcast.registries.moving import Moving

FACTS = "runcast.facts"
EVENT = "runcast.event."
_GAP = "runcast.gap"
"""Tag of a version that only uses up a number."""
_LONGEST = 90_000
"""Characters of a tag, below MLflow's limit of 100 000."""
_OWN = ("runcast.", "mlflow.")
_NATIVE = {"staging": "Staging", "production": "Production"}
"""Stages that MLflow 3 still stores and shows, though it calls them deprecated."""


class MlflowRegistry(Moving):
    """Model versions in one MLflow store."""

    name: ClassVar[str] = "mlflow"
    requires: ClassVar[Mapping[str, str]] = {"mlflow": "runcast[mlflow]"}

    _connected: Any = None

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        """MLflow's client, for a block whose failures are delivery errors."""
        store = parse(self.options.uri, lambda path: self.base / path)
        if self._connected is None:
            self._connected = connect(store, self.options.timeout)
        with translated(store):
            # Known, see `_NATIVE`. Not ``catch_warnings``: that is not safe beside other threads.
            warnings.filterwarnings("ignore", r"[\s\S]*transition_model_version_stage", FutureWarning)
            yield self._connected

    def names(self) -> list[str]:
        """Every registered model, sorted."""
        with self._client() as client:
            found = every(lambda token: client.search_registered_models(page_token=token))
        return sorted(model.name for model in found)

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version; the metrics of one that runcast did not register are those of its run."""
        with self._client() as client:
            model = _registered(client, name)
            if model is None:
                return []
            found = every(lambda token: client.search_model_versions(_named(name), page_token=token))
            held: dict[int, list[str]] = {}
            for alias, version in sorted(model.aliases.items()):
                held.setdefault(int(version), []).append(alias)
            made = [_version(version, held.get(int(version.version), []), client) for version in found]
        return sorted(made, key=lambda version: version.version)

    def register(self, candidate: Candidate) -> ModelVersion:
        """Upload, then make the version; each found again where an earlier attempt left it."""
        if (found := self._known(candidate)) is not None:
            with contextlib.suppress(Reject):  # the run may be gone; what was registered stays so
                self._uploaded(candidate)  # files that are gone
            return found
        with self._client() as client:
            model = self._uploaded(candidate)
            if _registered(client, candidate.name) is None:
                _created(client, candidate.name)
            tags = {IDENTITY: candidate.identity, FACTS: _facts(candidate)}
            if not self._adopted(client, candidate.name, model, tags):
                self._leave_gap(client, candidate, model)
                versions.created(client, candidate.name, model, candidate.refs.get("mlflow"), tags)
        found = self._known(candidate)
        assert found is not None  # noqa: S101  # it has just been made
        return found

    def _uploaded(self, candidate: Candidate) -> Any:
        store = parse(self.options.uri, lambda path: self.base / path)
        with self._client() as client:
            return uploaded(client, store, self.base, self.options.artifact_location, candidate)

    def _known(self, candidate: Candidate) -> ModelVersion | None:
        """The first version of this identity; of two that were made at once, only it stays."""
        found = [v for v in self.versions(candidate.name) if v.identity == candidate.identity]
        for double in found[1:]:
            with self._client() as client:
                _deleted(client, double)
        return found[0] if found else None

    def _adopted(self, client: Any, name: str, model: Any, tags: Mapping[str, str]) -> bool:
        """Whether the backend registered this very model (`Run.log_model`): then it is the version."""
        source = versions.source(client, model)
        for version in every(lambda token: client.search_model_versions(_named(name), page_token=token)):
            if version.source == source and IDENTITY not in version.tags:
                for key in (FACTS, IDENTITY):
                    client.set_model_version_tag(name, str(version.version), key, tags[key])
                return True
        return False

    def _leave_gap(self, client: Any, candidate: Candidate, model: Any) -> None:
        """Bring MLflow's count to the wanted number: it never gives that of a deleted version again."""
        if candidate.number is None:
            return
        known = every(lambda token: client.search_model_versions(_named(candidate.name), page_token=token))
        for version in known:
            if _GAP in version.tags:  # of an attempt that was killed
                client.delete_model_version(candidate.name, str(version.version))
        last = max((int(version.version) for version in known), default=0)
        while last < candidate.number - 1:
            made = versions.created(client, candidate.name, model, None, {_GAP: "yes"})
            client.delete_model_version(candidate.name, str(made.version))
            last = int(made.version)

    def update(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str | None]
    ) -> None:
        """Write each into its own slot."""
        with self._client() as client:
            if description is not None:
                client.update_model_version(name, str(version), description)
            there = client.get_model_version(name, str(version)).tags if None in tags.values() else {}
            for key, value in tags.items():
                if value is not None:
                    client.set_model_version_tag(name, str(version), key, value)
                elif key in there:
                    client.delete_model_version_tag(name, str(version), key)

    def events(self, name: str) -> list[Event]:
        """Every event, from the registered model's tags."""
        with self._client() as client:
            model = _registered(client, name)
        tags = model.tags if model is not None else {}
        found = [Event.model_validate_json(text) for key, text in tags.items() if key.startswith(EVENT)]
        return sorted(found, key=lambda event: (event.order, event.id))

    def write_event(self, name: str, event: Event) -> None:
        """One tag for each."""
        with self._client() as client:
            client.set_registered_model_tag(name, EVENT + event.id, event.model_dump_json())

    def place(self, name: str, alias: str, version: int | None) -> None:
        """Set or delete an alias."""
        with self._client() as client:
            if version is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, str(version))

    def archived(self, name: str, event: Event) -> None:
        """Move MLflow's own stages along."""
        stage = _NATIVE.get(event.alias)
        if event.action not in ("promoted", "rolled back") or stage is None:
            return
        moved = {event.previous: "Archived" if event.archive else "None", event.version: stage}
        there = {version.version for version in self.versions(name)}  # one may be deleted since
        with self._client() as client:
            for version, native in moved.items():
                if version in there:
                    client.transition_model_version_stage(name, str(version), native)

    def spelled(self, name: str) -> str:
        """MLflow takes nearly every name."""
        return names.registered_model(name)

    def spelled_alias(self, alias: str) -> str:
        """Not every alias."""
        return names.alias(alias)

    def description(self, name: str) -> str:
        """The registered model's."""
        with self._client() as client:
            model = _registered(client, name)
            return str(model.description or "") if model is not None else ""

    def describe(self, name: str, description: str, tags: Mapping[str, str]) -> None:
        """Into the registered model's own slots."""
        with self._client() as client:
            if description:
                client.update_registered_model(name, description)
            for key, value in tags.items():
                client.set_registered_model_tag(name, key, value)

    def enter(self, name: str, version: int, stage: str) -> None:
        """One of MLflow's own stages."""
        with self._client() as client:
            client.transition_model_version_stage(name, str(version), stage.capitalize() or "None")

    def remove(self, name: str, versions: Sequence[int], *, whole: bool) -> None:
        """Delete versions, the logged models that were made for them, and a name that nobody else uses."""
        with self._client() as client:
            known = every(lambda token: client.search_model_versions(_named(name), page_token=token))
            for version in known:
                if int(version.version) in versions:
                    client.delete_model_version(name, str(version.version))
                    _forget(client, version)
            others = {int(version.version) for version in known} - set(versions)
            if whole and not others and _registered(client, name) is not None:
                client.delete_registered_model(name)

    def fetch(self, name: str, version: int, folder: Path) -> None:
        """Download from where the version's source is."""
        with self._client() as client:
            from mlflow.artifacts import download_artifacts

            source = client.get_model_version(name, str(version)).source
            if source.startswith("models:/m-"):
                # MLflow would look the model up in whatever store its global settings name.
                source = client.get_logged_model(source.removeprefix("models:/")).artifact_location
            uri = self._connected.tracking_uri
            download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=uri, registry_uri=uri)


def _named(name: str) -> str:
    quote = '"' if "'" in name else "'"
    return f"name = {quote}{name}{quote}"


def _forget(client: Any, version: Any) -> None:
    """Delete the logged model that was made for a version; one of a run stays with its run."""
    found = re.search(r"(?<![\w-])m-[0-9a-f]{32}(?![\w-])", version.source)
    if found is None:
        return
    model = client.get_logged_model(found[0])
    if model.tags.get(IDENTITY) == version.tags.get(IDENTITY, ""):
        client.delete_logged_model(model.model_id)


def _registered(client: Any, name: str) -> Any | None:
    try:
        return client.get_registered_model(name)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _created(client: Any, name: str) -> None:
    try:
        client.create_registered_model(name)
    except Exception as error:  # somebody was faster
        if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
            raise


def _deleted(client: Any, version: ModelVersion) -> None:
    try:
        client.delete_model_version(version.name, str(version.version))
    except Exception as error:  # somebody was faster
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise


def _facts(candidate: Candidate) -> str:
    facts = {
        "digest": candidate.digest,
        "files": dict(candidate.digests),
        "metrics": dict(candidate.metrics),
        "model": dict(candidate.model),
        "run": candidate.run,
        "by": candidate.by,
        "created": candidate.time,
        "origin": dict(candidate.origin),
    }
    for heavy in ("", "model", "files"):  # the digest is enough to check a download of plain files
        facts.pop(heavy, None)
        if len(text := json_in(facts)) <= _LONGEST:
            return text
    return json.dumps({"digest": candidate.digest, "run": candidate.run, "created": candidate.time})


def _version(found: Any, aliases: list[str], client: Any) -> ModelVersion:
    facts = json_out(found.tags[FACTS]) if FACTS in found.tags else {}
    native = str(found.current_stage or "None")
    return ModelVersion(
        registry="mlflow",
        name=found.name,
        version=int(found.version),
        description=found.description or "",
        aliases=aliases,
        tags={key: value for key, value in found.tags.items() if not key.startswith(_OWN)},
        stage="" if native == "None" else native.lower(),
        created=facts.get("created", int(found.creation_timestamp or 0) * 1_000_000),
        by=facts.get("by", found.user_id or ""),
        run=facts.get("run", ""),
        ref=found.run_id or "",
        digest=facts.get("digest", ""),
        files=facts.get("files", {}),
        metrics=facts["metrics"] if "metrics" in facts else _metrics(client, found.run_id),
        source=mask(found.source or ""),
        model=facts.get("model", {}),
        identity=found.tags.get(IDENTITY, ""),
        origin=facts.get("origin", {}),
    )


def _metrics(client: Any, run_id: str | None) -> dict[str, float]:
    """Of the version's run, which may be gone."""
    if not run_id:
        return {}
    try:
        return dict(client.get_run(run_id).data.metrics)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}

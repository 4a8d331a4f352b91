"""`WandbRegistry`: a version is a membership of a collection; what W&B has no slot for is in its metadata.

Metadata belong to the artifact and not to the membership, so they stand under ``runcast.registry`` →
``<registry>/<name>``: facts, tags, and the events that brought an alias to this version.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from runcast.catalog.values import json_in, json_out
from runcast.errors import Halt, Reject
from runcast.plugins.registry import Candidate, Event, ModelVersion
from runcast.registries.moving import Moving
from runcast.registries.wandb import client
from runcast.registries.wandb.upload import carrier, uploaded

KEY = "runcast.registry"
_TRIES = 5


class WandbRegistry(Moving):
    """Model versions in one registry of a W&B organization."""

    name: ClassVar[str] = "wandb"
    requires: ClassVar[Mapping[str, str]] = {"wandb": "runcast[wandb]"}

    _owner: tuple[str, str] | None = None

    def _api(self) -> tuple[Any, str]:
        """A fresh client, and ``<organization>/wandb-registry-<name>``."""
        entity = client.ready(self.options)
        if self._owner is None:
            self._owner = entity, client.owner(self.options, entity)
        return client.api(self.options, entity), f"{self._owner[1]}/wandb-registry-{self.options.registry}"

    def names(self) -> list[str]:
        """Every collection of models, sorted."""
        with client.translated(self.options):
            return sorted({collection.name for collection in self._registry().collections(per_page=100)})

    def versions(self, name: str) -> list[ModelVersion]:
        """Every membership; the metrics of one that runcast did not register are its run's summary."""
        with client.translated(self.options):
            return sorted(
                (self._version(name, member) for member in self._members(name)), key=lambda v: v.version
            )

    def _members(self, name: str) -> list[Any]:
        found = self._registry().collections(filter={"name": name}).versions(per_page=100)
        return list(found)

    def _registry(self) -> Any:
        api, place = self._api()
        try:
            return api.registry(self.options.registry)
        except ValueError as error:
            raise Halt(
                f"wandb: {place} cannot be used ({error}): make it in W&B, or name another: `registry` under "
                "[wandb]"
            ) from None

    def _member(self, name: str, version: int) -> Any:
        api, place = self._api()
        return api.artifact(f"{place}/{name}:v{version}")

    def register(self, candidate: Candidate) -> ModelVersion:
        """Upload with the facts, then link: what is linked always says what it is."""
        if (found := self._known(candidate)) is not None:
            return found
        with client.translated(self.options):
            api, place = self._api()
            entity = self._owner[0] if self._owner else ""
            facts = {"facts": _facts(candidate)}
            artifact = uploaded(api, self.options, entity, candidate, self._merged({}, candidate.name, facts))
            if "facts" not in self._own(artifact, candidate.name):  # a run of the user's has logged it
                self._write(artifact, candidate.name, facts)
            artifact.link(f"{place}/{candidate.name}")
        found = self._known(candidate)
        assert found is not None  # noqa: S101  # it has just been made
        return found

    def _known(self, candidate: Candidate) -> ModelVersion | None:
        """The first version of this identity; of two that were made at once, only it stays."""
        found = [v for v in self.versions(candidate.name) if v.identity == candidate.identity]
        for double in found[1:]:
            with contextlib.suppress(Reject), client.translated(self.options):  # somebody was faster
                self._member(double.name, double.version).unlink()
        return found[0] if found else None

    def update(
        self, name: str, version: int, description: str | None, tags: Mapping[str, str | None]
    ) -> None:
        """The description in its slot, tags in the metadata."""
        with client.translated(self.options):
            member = self._member(name, version)
            if description is not None:
                member.description = description
            self._write(member, name, {"tags": dict(tags)})

    def events(self, name: str) -> list[Event]:
        """Every event of every version."""
        with client.translated(self.options):
            found = [
                Event.model_validate(event)
                for member in self._members(name)
                for event in self._own(member, name).get("events", {}).values()
            ]
        return sorted(found, key=lambda event: (event.order, event.id))

    def write_event(self, name: str, event: Event) -> None:
        """With the version that the alias goes to, so that two who promote write in two places."""
        at = event.version if event.version is not None else event.previous
        if at is None:
            return
        with client.translated(self.options):
            written = {event.id: event.model_dump(mode="json")}
            for _ in range(_TRIES):
                self._write(self._member(name, at), name, {"events": written})
                # Metadata are saved as a whole: somebody may have saved theirs after we had read ours.
                if written.items() <= self._own(self._member(name, at), name).get("events", {}).items():
                    return

    def place(self, name: str, alias: str, version: int | None) -> None:
        """Add the alias, which W&B takes from whoever had it; or take it away."""
        with client.translated(self.options):
            if version is not None:
                member = self._member(name, version)
                if alias not in member.aliases:
                    member.aliases.append(alias)
                    member.save()
                return
            for member in self._members(name):
                if alias in member.aliases:
                    member.aliases.remove(alias)
                    member.save()

    def fetch(self, name: str, version: int, folder: Path) -> None:
        """W&B's client downloads, and compares with its own digests."""
        with client.translated(self.options):
            # Not past its cache: what W&B's client once skipped the cache for, it mixes up with all that the
            # process downloads afterwards (seen with 0.31.0).
            self._member(name, version).download(root=str(folder))

    def description(self, name: str) -> str:
        """The collection's."""
        with client.translated(self.options):
            found = list(self._registry().collections(filter={"name": name}))
            return str(found[0].description or "") if found else ""

    def describe(self, name: str, description: str, tags: Mapping[str, str]) -> None:
        """The collection's description; it has no tags with values."""
        if not description:
            return
        with client.translated(self.options):
            for collection in self._registry().collections(filter={"name": name}):
                collection.description = description
                collection.save()

    def remove(self, name: str, versions: Sequence[int], *, whole: bool) -> None:
        """Unlink versions, and delete the artifacts and runs that were made for them alone."""
        with client.translated(self.options):
            members = self._members(name)
            for member in members:
                if int(member.version.removeprefix("v")) in versions:
                    identity = self._version(name, member).identity
                    source = _source(member, self._api()[0])
                    member.unlink()
                    _forget(self._api()[0], source, identity)
            if whole and {int(member.version.removeprefix("v")) for member in members} <= set(versions):
                for collection in self._registry().collections(filter={"name": name}):
                    collection.delete()

    def _own(self, member: Any, name: str) -> dict[str, Any]:
        every = (member.metadata or {}).get(KEY) or {}
        return dict(every.get(f"{self.options.registry}/{name}") or {})

    def _write(self, member: Any, name: str, more: Mapping[str, Mapping[str, Any]]) -> None:
        """Merge into what runcast knows of a version."""
        metadata = self._merged(member.metadata or {}, name, more)
        # Past the property, which warns on the terminal that a link's metadata are its source's.
        source = member if not member.is_link else _source(member, self._api()[0])
        source.metadata = metadata
        if source is not member:
            source.description = member.description
        source.save()

    def _merged(
        self, metadata: Mapping[str, Any], name: str, more: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        every = metadata.get(KEY) or {}
        place = f"{self.options.registry}/{name}"
        own = dict(every.get(place) or {})
        for part, values in more.items():
            merged = {**own.get(part, {}), **values}
            own[part] = {key: value for key, value in merged.items() if value is not None or part != "tags"}
        return {**metadata, KEY: {**every, place: own}}

    def _version(self, name: str, member: Any) -> ModelVersion:
        own = self._own(member, name)
        facts = json_out(json.dumps(own.get("facts", {})))
        return ModelVersion(
            registry=self.name,
            name=name,
            version=int(member.version.removeprefix("v")),
            description=member.description or "",
            aliases=sorted(alias for alias in member.aliases if alias != "latest"),
            tags=own.get("tags", {}),
            created=facts.get("created") or _nanoseconds(member.created_at),
            by=facts.get("by", ""),
            run=facts.get("run", ""),
            ref=facts["ref"] if "ref" in facts else _run(member),
            digest=facts.get("digest", ""),
            files=facts.get("files", {}),
            metrics=facts["metrics"] if "metrics" in facts else _summary(member),
            source=f"wandb-artifact://{member.source_qualified_name}",
            model=facts.get("model", {}),
            identity=facts.get("identity", ""),
            origin=facts.get("origin", {}),
        )


def _source(member: Any, api: Any) -> Any:
    return api.artifact(member.source_qualified_name)


def _forget(api: Any, artifact: Any, identity: str) -> None:
    """Delete an artifact of a run that only carried it; what a run of the user's has logged stays."""
    run = artifact.logged_by()
    if run is not None and run.id == carrier(identity):
        artifact.collection.delete()  # with it, since it has a name of its own
        api.run("/".join(run.path)).delete()


def _facts(candidate: Candidate) -> dict[str, Any]:
    facts = {
        "identity": candidate.identity,
        "digest": candidate.digest,
        "files": dict(candidate.digests),
        "metrics": dict(candidate.metrics),
        "model": dict(candidate.model),
        "run": candidate.run,
        "ref": candidate.refs.get("wandb", ""),
        "by": candidate.by,
        "created": candidate.time,
        "origin": dict(candidate.origin),
    }
    plain: dict[str, Any] = json.loads(
        json_in(facts)
    )  # NaN as runcast writes it, since W&B has no form for it
    return plain


def _run(member: Any) -> str:
    """W&B's id of the run that logged the version."""
    run = member.logged_by()
    return str(run.id) if run is not None else ""


def _summary(member: Any) -> dict[str, bool | int | float]:
    """Numbers of the version's run, which may be gone."""
    run = member.logged_by()
    values = dict(run.summary) if run is not None else {}
    return {k: v for k, v in values.items() if isinstance(v, (bool, int, float)) and not k.startswith("_")}


def _nanoseconds(text: str | None) -> int:
    if not text:
        return 0
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1e9)

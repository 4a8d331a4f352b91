"""Where things that came from another tracker are in this one: a logged model by the id that it had there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runcast.backends.mlflow.client import pages
from runcast.backends.mlflow.runs import RUN_ID
from runcast.records import Input

ORIGIN = "runcast.origin"
"""Tag of a logged model: JSON list of the ids that it had, the last tracker's first."""
DIGEST = "runcast.digest"
"""Tag of a logged model: that of its record."""


def ids(origin: dict[str, Any]) -> list[str]:
    """Every id that a thing had, the last tracker's first."""
    return [str(link["id"]) for link in chain(origin) if link.get("id")]


def chain(origin: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An origin, and what stands behind it."""
    while isinstance(origin, dict) and origin:
        yield origin
        origin = origin.get("origin") or {}


def known(origin: dict[str, Any]) -> dict[str, Any] | None:
    """What MLflow knew of a thing that began in one; None of a thing that began elsewhere."""
    *_, began = [{}, *chain(origin)]
    return dict(began.get("extra") or {}) if began.get("tracker") == "mlflow" else None


class Links:
    """Finds logged models.

    Args:
        client: an ``mlflow.MlflowClient``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, str | None] = {}

    def model(self, id: str) -> str | None:
        """MLflow's id of the logged model that was called `id` where it came from; None where none was."""
        if id not in self._known:
            self._known[id] = self._find(id)
        return self._known[id]

    def used(self, record: Input) -> str | None:
        """MLflow's id of the logged model that a run used, None where it is none."""
        if record.type != "model":
            return None
        found = next(filter(None, map(self.model, ids(record.origin))), None)
        return found or (self._by_content(record) if record.run and record.digest else None)

    def _find(self, id: str) -> str | None:
        if not id.replace("-", "").isalnum():  # no id of MLflow's, and a filter could not hold it
            return None
        wanted = f"tags.`{ORIGIN}` LIKE '%\"{id}\"%'"
        return next((model.model_id for model in self._models(wanted)), None)

    def _by_content(self, record: Input) -> str | None:
        quote = '"' if "'" in str(record.run) else "'"
        runs = self._client.search_runs(
            self._experiments, filter_string=f"tags.`{RUN_ID}` = {quote}{record.run}{quote}", max_results=1
        )
        for run in runs:
            for model in self._models(f"source_run_id = '{run.info.run_id}'"):
                if model.tags.get(DIGEST) == record.digest:
                    return str(model.model_id)
        return None

    def _models(self, wanted: str) -> Iterator[Any]:
        def search(token: str | None) -> Any:
            return self._client.search_logged_models(
                self._experiments, filter_string=wanted, page_token=token
            )

        yield from pages(search)

    @property
    def _experiments(self) -> list[str]:
        found = pages(lambda token: self._client.search_experiments(page_token=token))
        return [experiment.experiment_id for experiment in found]


def origin_tag(origin: dict[str, Any]) -> dict[str, str]:
    """The tag for a logged model, none where it began here."""
    found = ids(origin)
    return {ORIGIN: json.dumps(found)} if found else {}

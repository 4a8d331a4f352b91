"""`Registries`: one call for several trackers; what each answered, and which did not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runcast.errors import PromotionError, RegistryError, RuncastError
from runcast.model_registry.candidates import Source
from runcast.model_registry.promotion import Approve, Own, Request
from runcast.model_registry.single import Comparison, ModelRegistry
from runcast.plugins.registry import Event, ModelVersion

if TYPE_CHECKING:
    from runcast.run import Run


class Answer(BaseModel):
    """What each registry answered.

    Attributes:
        versions: registry → its version.
        problems: registry → why it has none; repeating the call finishes it there, and changes nothing where
            it is done.
    """

    versions: dict[str, ModelVersion] = {}
    problems: dict[str, str] = {}

    @property
    def ok(self) -> bool:
        """Whether every registry did what was asked."""
        return not self.problems

    def check(self) -> Answer:
        """This answer, if every registry did what was asked.

        Raises:
            RegistryError: one did not.
        """
        if self.problems:
            done = ", ".join(f"{name}: v{v.version}" for name, v in self.versions.items()) or "none"
            text = "\n".join(f"{name}: {problem}" for name, problem in self.problems.items())
            raise RegistryError(f"done in {done}; not in\n{text}")
        return self


class Registries:
    """Every configured registry; made by `runcast.registry()`.

    Numbers of versions differ between trackers: mean one by alias, stage or digest, or give an `Answer`.
    Mistakes in a call (`UsageError` of names) raise where no registry could do it.
    """

    def __init__(self, registries: Mapping[str, ModelRegistry]) -> None:
        self._registries = dict(registries)

    def __getitem__(self, name: str) -> ModelRegistry:
        return self._registries[name]

    def __iter__(self) -> Any:
        return iter(self._registries)

    def register(
        self,
        name: str,
        source: Source | None = None,
        *,
        run: Run | str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        aliases: Sequence[str] = (),
        metrics: Mapping[str, Any] | None = None,
    ) -> Answer:
        """`ModelRegistry.register` everywhere; the files are read once."""
        first = next(iter(self._registries.values()))
        made = first.candidate(name, source, run=run, metrics=metrics)
        return self._each(lambda one: one.take(made, description=description, tags=tags, aliases=aliases))

    def get(self, wanted: str | Answer) -> Answer:
        """`ModelRegistry.get` everywhere."""
        return self._each(lambda one: one.get(_of(one, wanted)))

    def describe(self, wanted: str | Answer, text: str) -> Answer:
        """`ModelRegistry.describe` everywhere."""
        return self._each(lambda one: one.describe(_of(one, wanted), text))

    def tag(self, wanted: str | Answer, tags: Mapping[str, str]) -> Answer:
        """`ModelRegistry.tag` everywhere."""
        return self._each(lambda one: one.tag(_of(one, wanted), tags))

    def alias(self, wanted: str | Answer, alias: str) -> Answer:
        """`ModelRegistry.alias` everywhere."""
        return self._each(lambda one: one.alias(_of(one, wanted), alias))

    def promote(
        self,
        wanted: str | Answer,
        stage: str,
        *,
        approve: Approve = None,
        own: Sequence[Own] = (),
        note: str = "",
    ) -> Answer:
        """`ModelRegistry.promote` everywhere; somebody is asked once."""
        asked = _once(approve) if callable(approve) else approve
        return self._each(lambda one: one.promote(_of(one, wanted), stage, approve=asked, own=own, note=note))

    def rollback(self, name: str, stage: str = "", *, note: str = "") -> Answer:
        """`ModelRegistry.rollback` everywhere."""
        return self._each(lambda one: one.rollback(name, stage, note=note))

    def names(self) -> dict[str, list[str]]:
        """Registry → its models."""
        return {name: one.names() for name, one in self._registries.items()}

    def versions(self, name: str) -> dict[str, list[ModelVersion]]:
        """Registry → its versions of a model."""
        return {key: one.versions(name) for key, one in self._registries.items()}

    def history(self, name: str) -> dict[str, list[Event]]:
        """Registry → what happened there to a model."""
        return {key: one.history(name) for key, one in self._registries.items()}

    def compare(self, wanted: Sequence[str], *, by: str = "") -> dict[str, Comparison]:
        """Registry → versions side by side."""
        return {key: one.compare(wanted, by=by) for key, one in self._registries.items()}

    def download(self, wanted: str, folder: str | os.PathLike[str] | None = None) -> Path:
        """From the first registry that has it; see `ModelRegistry.download`."""
        made: Path = self._first(lambda one: one.download(wanted, folder))
        return made

    def load(self, wanted: str, *, trust: bool = False, into: Any = None) -> Any:
        """From the first registry that has it; see `ModelRegistry.load`."""
        return self._first(lambda one: one.load(wanted, trust=trust, into=into))

    def close(self) -> None:
        """Let go of connections."""
        for one in self._registries.values():
            one.close()

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _each(self, call: Callable[[ModelRegistry], ModelVersion]) -> Answer:
        answer, errors = Answer(), []
        for name, one in self._registries.items():
            try:
                answer.versions[name] = call(one)
            except (RegistryError, PromotionError) as error:
                answer.problems[name] = str(error)
            except RuncastError as error:  # a mistake of the caller, unless some registry knows what is meant
                errors.append(error)
                answer.problems[name] = str(error)
        if errors and len(errors) == len(self._registries):
            raise errors[0]
        return answer

    def _first(self, call: Callable[[ModelRegistry], Any]) -> Any:
        errors: list[RuncastError] = []
        for one in self._registries.values():
            try:
                return call(one)
            except RuncastError as error:
                errors.append(error)
        raise errors[0]


def _of(one: ModelRegistry, wanted: str | Answer) -> str:
    if isinstance(wanted, str):
        return wanted
    if one.name not in wanted.versions:
        raise RegistryError(
            f"registry {one.name} has no version in this answer: {wanted.problems.get(one.name)}"
        )
    return str(wanted.versions[one.name])


def _once(approve: Callable[[Request], Any]) -> Callable[[Request], Any]:
    answers: list[Any] = []

    def ask(request: Request) -> Any:
        if not answers:
            answers.append(approve(request))
        return answers[0]

    return ask

"""`Registries`: one call for several trackers; what each answered, and which did not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from runcast.errors import PromotionError, RegistryError, RuncastError, UsageError
from runcast.model_registry.candidates import Source
from runcast.model_registry.conditions import Check
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


T = TypeVar("T")


class Found(dict[str, T]):
    """Registry → what it answered.

    Attributes:
        problems: registry → why it did not answer.
    """

    def __init__(self, answers: Mapping[str, T], problems: Mapping[str, str]) -> None:
        super().__init__(answers)
        self.problems = dict(problems)


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

    def tag(self, wanted: str | Answer, tags: Mapping[str, str], *, description: str | None = None) -> Answer:
        """`ModelRegistry.tag` everywhere."""
        return self._each(lambda one: one.tag(_of(one, wanted), tags, description=description))

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
        """`ModelRegistry.rollback` everywhere, or nowhere if a registry does not answer.

        A second call goes back once more. But where another registry still has the version that was taken
        out here, an earlier call was cut short between the two: then only the other one moves.
        """
        seen, errors = self._asked(lambda one: one.rolled_back(name, stage))
        if down := [key for key, error in errors.items() if isinstance(error, RegistryError)]:
            why = (
                f"nothing was moved, because {', '.join(down)} does not answer, and repeating the call would "
                "go back twice; name this registry alone (-r) to roll back here"
            )
            return Answer(problems={key: str(errors.get(key, why)) for key in self._registries})

        def back(one: ModelRegistry) -> ModelVersion:
            others = {now for key, (now, _) in seen.items() if key != one.name}
            if one.name in seen and seen[one.name][1] and seen[one.name][1] in others:
                return one.get(f"{name}/{stage or one.policy.stages[-1]}")
            return one.rollback(name, stage, note=note)

        return self._each(back)

    def unalias(self, name: str, alias: str) -> Answer:
        """`ModelRegistry.unalias` wherever the alias is."""
        found, errors = self._asked(lambda one: one.unalias(name, alias))
        down = {key: str(error) for key, error in errors.items() if not isinstance(error, UsageError)}
        return Answer(versions=found, problems=down)

    def names(self) -> Found[list[str]]:
        """Registry → its models."""
        return self._found(lambda one: one.names())

    def versions(self, name: str = "") -> Found[list[ModelVersion]]:
        """Registry → its versions of a model, or of every model."""
        return self._found(
            lambda one: [v for model in ([name] if name else one.names()) for v in one.versions(model)]
        )

    def history(self, name: str) -> Found[list[Event]]:
        """Registry → what happened there to a model."""
        return self._found(lambda one: one.history(name))

    def compare(self, wanted: Sequence[str], *, by: str = "") -> Found[Comparison]:
        """Registry → versions side by side."""
        return self._found(lambda one: one.compare(wanted, by=by))

    def check(self, wanted: str | Answer, stage: str, *, own: Sequence[Own] = ()) -> Found[list[Check]]:
        """Registry → what `promote` would ask of a version there."""
        return self._found(lambda one: one.check(_of(one, wanted), stage, own=own))

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
        found, errors = self._asked(call)
        return Answer(versions=found, problems={name: str(error) for name, error in errors.items()})

    def _found(self, call: Callable[[ModelRegistry], T]) -> Found[T]:
        found, errors = self._asked(call)
        if not found and errors:
            raise next(iter(errors.values()))
        return Found(found, {name: str(error) for name, error in errors.items()})

    def _asked(self, call: Callable[[ModelRegistry], T]) -> tuple[dict[str, T], dict[str, RuncastError]]:
        """What each answered, and what the others raised.

        Raises:
            RuncastError: the caller's mistake, where no registry knows what is meant.
        """
        found: dict[str, T] = {}
        errors: dict[str, RuncastError] = {}
        for name, one in self._registries.items():
            try:
                found[name] = call(one)
            except RuncastError as error:
                errors[name] = error
        mistakes = [e for e in errors.values() if not isinstance(e, (RegistryError, PromotionError))]
        if mistakes and len(mistakes) == len(self._registries):
            raise mistakes[0]
        return found, errors

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

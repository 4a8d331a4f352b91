"""Moving versions between stages: what the policy says, who agreed, and back again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from runcast.config import Policy
from runcast.errors import ConfigError, PromotionError
from runcast.model_registry.conditions import Check, parse
from runcast.plugins.registry import ABANDONED, Event, Lost, ModelVersion, Registry, effective, holder

_GLANCES = 20
"""So often the history and the alias are read until they fit together."""
Own = Callable[[ModelVersion, "ModelVersion | None"], "str | None"]
"""A condition in code: the version and the one in the stage now → why not, or None."""


class Request(BaseModel):
    """What somebody is asked to approve.

    Attributes:
        version: what is to be promoted.
        current: what is in the stage now.
        checks: every condition; all are met.
    """

    model_config = ConfigDict(frozen=True)
    version: ModelVersion
    stage: str
    current: ModelVersion | None
    checks: list[Check]


Approve = str | Callable[[Request], "str | bool | None"] | None
"""Who agrees: a name, or a function that gives one; False, "" and None are a no, True is the caller."""


class Refused(PromotionError):
    """The policy does not let a version into a stage.

    Attributes:
        checks: every condition, with its actual value.
    """

    def __init__(self, version: ModelVersion, stage: str, checks: Sequence[Check]) -> None:
        self.checks = list(checks)
        unmet = [f"  {check.condition}: {check.actual}" for check in checks if not check.ok]
        super().__init__(f"{version} ({version.registry}) is not promoted to {stage}:\n" + "\n".join(unmet))


def validate(policy: Policy) -> Policy:
    """The policy, if it makes sense.

    Raises:
        ConfigError: it does not.
    """
    if not policy.stages or len(set(policy.stages)) < len(policy.stages):
        raise ConfigError("[registry.policy] stages: give at least one, each once")
    for key in ("requires", "tags"):
        for stage in getattr(policy, key):
            _known(stage, f"[registry.policy.{key}]", policy)
    for stage in policy.approval:
        _known(stage, "[registry.policy] approval", policy)
    for condition in (text for texts in policy.requires.values() for text in texts):
        parse(condition, policy)
    return policy


def _known(stage: str, where: str, policy: Policy) -> None:
    if stage not in policy.stages:
        raise ConfigError(f"{where}: there is no stage {stage!r} among {', '.join(policy.stages)}")


def staged(versions: Sequence[ModelVersion], events: Sequence[Event], policy: Policy) -> list[ModelVersion]:
    """The versions with their stages."""
    archived: set[int] = set()
    for event in effective(events, policy.stages[-1]):
        if event.archive and event.previous is not None:
            archived.add(event.previous)
        archived.discard(-1 if event.version is None else event.version)

    def stage(version: ModelVersion) -> str:
        held = [stage for stage in policy.stages if stage in version.aliases]
        if held:
            return held[-1]
        if version.version in archived:
            return "archived"
        return "" if events else version.stage

    return [version.model_copy(update={"stage": stage(version)}) for version in versions]


def checks(
    version: ModelVersion,
    stage: str,
    versions: Sequence[ModelVersion],
    events: Sequence[Event],
    policy: Policy,
    own: Sequence[Own] = (),
) -> list[Check]:
    """Every condition of a stage, with its actual value."""
    found: list[Check] = []
    place = policy.stages.index(stage)
    if policy.in_order and place > 0:
        before = policy.stages[place - 1]
        was = any(event.version == version.version for event in effective(events, before))
        ok = was or before in version.aliases
        found.append(Check(condition=f"was in {before}", ok=ok, actual="it was" if ok else "it never was"))
    holders = {s: v for v in versions for s in policy.stages if s in v.aliases}
    found += [parse(text, policy).check(version, holders) for text in policy.requires.get(stage, ())]
    found += [_tag(version, wanted) for wanted in policy.tags.get(stage, ())]
    for condition in own:
        problem = condition(version, holders.get(stage))
        name = getattr(condition, "__name__", type(condition).__name__)
        found.append(Check(condition=name, ok=problem is None, actual=problem or "met"))
    return found


def _tag(version: ModelVersion, wanted: str) -> Check:
    key, sign, value = wanted.partition("=")
    has = version.tags.get(key)
    ok = has is not None and (not sign or has == value)
    actual = "it has no such tag" if has is None else f"it is {has!r}"
    return Check(condition=f"tag {wanted}", ok=ok, actual="it is there" if ok and not sign else actual)


def approved(request: Request, approve: Approve, policy: Policy, by: str) -> str:
    """Who agreed; "" where nobody has to.

    Raises:
        Refused: nobody was asked, or they said no.
    """
    if request.stage not in policy.approval and (approve is None or callable(approve)):
        return ""
    answer: Any = approve(request) if callable(approve) else approve
    if answer is True:
        answer = by
    if isinstance(answer, str) and answer.strip():
        return answer.strip()[:200]
    actual = "nobody was asked: give approve=, or --approve NAME" if approve is None else "it was not given"
    check = Check(condition="approval", ok=False, actual=actual)
    raise Refused(request.version, request.stage, [*request.checks, check])


class Mover:
    """Moves one alias of one name, after whatever was left half done before."""

    def __init__(self, registry: Registry, name: str, alias: str, by: str, clock: Callable[[], int]) -> None:
        self._registry, self._name, self._alias, self._by, self._clock = registry, name, alias, by, clock

    def settle(self, version: int | None = None) -> list[Event]:
        """Finish what a killed process began, and note what somebody moved by hand.

        Args:
            version: where the alias is to go; what was begun towards it is finished at once.

        Returns:
            The events that moved the alias; the version of the last is where it is, and is what anybody who
            moves it has decided by. Asked again, the tracker might tell of a move that is not decided yet.

        Raises:
            Lost: somebody else is moving the alias right now.
        """
        for _ in range(_GLANCES):
            events = self._registry.events(self._name)
            begun = [e for e in events if e.alias == self._alias and e.state == "begun"]
            for event in begun:
                if event.version != version and abs(self._clock() - event.time) < ABANDONED:
                    raise Lost(self._busy(f"{event.who} is moving {self._alias!r} to v{event.version}"))
                self._registry.finish(self._name, event)
            if begun:
                continue
            chain = effective(events, self._alias)
            current, now = at(chain), holder(self._registry.versions(self._name), self._alias)
            if now == current:
                return chain
            if events == self._registry.events(self._name):  # so nobody moved it in between
                noticed = self._event("noticed", now, current)
                self._registry.move(self._name, noticed)
                return [*chain, noticed]
        raise Lost(self._busy(f"others are moving {self._alias!r}"))

    def move(
        self,
        action: Any,
        version: int | None,
        previous: int | None,
        *,
        note: str = "",
        approved_by: str = "",
        archive: bool = False,
    ) -> None:
        """Move the alias from `previous` to `version`."""
        event = self._event(action, version, previous)
        more = {"note": note[:1000], "approved_by": approved_by, "archive": archive}
        self._registry.move(self._name, event.model_copy(update=more))

    def _busy(self, who: str) -> str:
        return f"{self._name}: {who} right now; look at `runcast registry history {self._name}` in a minute"

    def _event(self, action: Any, version: int | None, previous: int | None) -> Event:
        known = self._registry.events(self._name)
        return Event(
            id=os.urandom(8).hex(),
            order=max((event.order for event in known), default=0) + 1,
            time=self._clock(),
            who=self._by,
            action=action,
            alias=self._alias,
            version=version,
            previous=previous,
        )


def at(moves: Sequence[Event]) -> int | None:
    """Where an alias is after the events that moved it."""
    return moves[-1].version if moves else None


def replaced(moves: Sequence[Event]) -> int | None:
    """The version that the one now in a stage has replaced, rollbacks undone; None where there is none."""
    stack: list[int | None] = []
    for event in moves:
        if event.action == "rolled back" and stack:
            stack.pop()
        else:
            stack.append(event.version)
    return stack[-2] if len(stack) > 1 else None

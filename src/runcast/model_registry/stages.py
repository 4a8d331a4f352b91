"""One stage of one model: what comes in, and what goes back out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runcast.config import Policy
from runcast.errors import PromotionError
from runcast.model_registry.promotion import (
    Approve,
    Mover,
    Own,
    Refused,
    Request,
    approved,
    at,
    checks,
    replaced,
    staged,
)
from runcast.plugins.registry import ModelVersion, Registry, effective, holder


class Stage:
    """One stage in one registry; see `ModelRegistry.promote` and `ModelRegistry.rollback`."""

    def __init__(
        self, registry: Registry, name: str, stage: str, policy: Policy, by: str, clock: Callable[[], int]
    ) -> None:
        self._registry, self._name, self._stage, self._policy, self._by = registry, name, stage, policy, by
        self._mover = Mover(registry, name, stage, by, clock)

    def enter(self, version: ModelVersion, approve: Approve, own: Sequence[Own], note: str) -> None:
        """Bring a version in, if the policy lets it and somebody agrees where that is asked for."""
        previous = at(self._mover.settle(version.version))
        events = self._registry.events(self._name)
        versions = staged(self._versions(), events, self._policy)
        if previous == version.version:
            return
        version = next((v for v in versions if v.version == version.version), version)
        found = checks(version, self._stage, versions, events, self._policy, own)
        if not all(check.ok for check in found):
            raise Refused(version, self._stage, found)
        current = next((v for v in versions if v.version == previous), None)
        request = Request(version=version, stage=self._stage, current=current, checks=found)
        agreed = approved(request, approve, self._policy, self._by)
        archive = self._archives and previous is not None
        self._mover.move(
            "promoted", version.version, previous, note=note, approved_by=agreed, archive=archive
        )

    def go_back(self, note: str) -> None:
        """Bring back the version that the one in the stage has replaced."""
        begun = effective(self._registry.events(self._name), self._stage)[-1:]
        if begun and begun[0].state == "begun" and begun[0].action == "rolled back":
            moves = self._mover.settle(begun[0].version)  # an earlier rollback that was killed: this one
            if moves and moves[-1].id == begun[0].id:
                return
        moves = self._mover.settle()
        now, back = at(moves), replaced(moves)
        what = f"{self._name} ({self._registry.name})"
        if now is None:
            raise PromotionError(f"{what}: nothing is in {self._stage} to be undone")
        if back is None:
            raise PromotionError(
                f"{what}: v{now} is the first in {self._stage}, there is nothing to go back to; promote "
                "another version"
            )
        if back not in {version.version for version in self._versions()}:
            raise PromotionError(
                f"{what}: v{back}, which v{now} has replaced in {self._stage}, was deleted; promote another "
                "version"
            )
        self._mover.move("rolled back", back, now, note=note, archive=self._archives)

    def rolled_back(self) -> tuple[str, str]:
        """Identities of the version that is in now, and of the one that a rollback took out for it; or ""."""
        versions = self._versions()
        identities: dict[int | None, str] = {v.version: v.identity for v in versions}
        moves = effective(self._registry.events(self._name), self._stage)
        last = moves[-1] if moves and moves[-1].state == "done" else None
        taken_out = last.previous if last and last.action == "rolled back" else None
        return identities.get(holder(versions, self._stage), ""), identities.get(taken_out, "")

    @property
    def _archives(self) -> bool:
        return self._policy.archive and self._stage == self._policy.stages[-1]

    def _versions(self) -> list[ModelVersion]:
        return self._registry.versions(self._name)

"""What people are told of one delivery: its state, what the tracker got in another form, what was damaged."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runcast.courier.folder import DeliveryFolder, DeliveryStatus, State
from runcast.journal import Damage
from runcast.receipts import Change
from runcast.redact import redact_text

MOST_CHANGES = 10_000
"""Changes that are kept by name: the whole list is written again for each new one."""


class Notes:
    """Written into a delivery's folder when something is new, and only then.

    Args:
        folder: of the delivery; held by this process.
    """

    def __init__(self, folder: DeliveryFolder) -> None:
        self._folder = folder
        self._status = DeliveryStatus()
        self._changes: dict[tuple[str, str], Change] = {}
        self._cut = False

    def load(self) -> None:
        """Remember what earlier processes wrote."""
        report = self._folder.load_report()
        self._changes = {(change.what, change.key): change for change in report.changes}
        self._cut = report.cut

    def keep(self, changes: Sequence[Change]) -> None:
        """What the tracker got in another form, or not at all."""
        changed = cut = False
        for change in changes:
            key = (change.what, change.key)
            if self._changes.get(key) == change:
                continue
            if key not in self._changes and len(self._changes) >= MOST_CHANGES:
                cut = True
                continue
            self._changes[key] = change
            changed = True
        if changed or (cut and not self._cut):
            self._cut = self._cut or cut
            report = self._folder.load_report()
            report.changes = list(self._changes.values())
            report.cut = self._cut
            self._folder.save_report(report)

    def damage(self, found: Sequence[Damage]) -> None:
        """What of the journal could not be read."""
        if not found:
            return
        report = self._folder.load_report()
        lines = [f"{d.segment}: {d.message}" + (f" ({d.missing})" if d.missing else "") for d in found]
        report.damage = list(dict.fromkeys(report.damage + lines))
        self._folder.save_report(report)

    def say(self, state: State, error: str = "", *, failures: int = 0, retry_in: float = 0.0) -> None:
        """What is going on; `retry_in`: seconds."""
        now = time.time_ns()
        status = DeliveryStatus(
            state=state,
            error=redact_text(error),
            failures=failures,
            retry_at=now + int(retry_in * 1e9) if retry_in else 0,
            time=now,
        )
        old = self._status
        if (old.state, old.error, old.failures) != (status.state, status.error, status.failures):
            self._status = status
            self._folder.save_status(status)

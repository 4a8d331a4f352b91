"""``runcast deliver``: what an earlier courier left, after a reboot or an outage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runcast.courier.closing import close_dead
from runcast.courier.folder import DeliveryFolder
from runcast.courier.supervisor import Supervisor
from runcast.journal import Layout, ends
from runcast.records import RunStarted

MASK = "[redacted]"


class Pending(msgspec.Struct):
    """One run that some backend does not have completely.

    Attributes:
        backends: name → options; a secret that the journal does not hold comes from today's settings.
    """

    run: str
    backends: dict[str, dict[str, Any]]


def find_pending(
    layout: Layout, today: Mapping[str, Mapping[str, Any]], only: list[str] | None = None
) -> list[Pending]:
    """The runs that are not completely delivered.

    Args:
        layout: the runcast directory.
        today: name of each backend → its options as configured now.
        only: ids; every run where left out.
    """
    found = []
    for run in layout.run_ids() if only is None else only:
        backends = {
            name: _with_secrets(options, today.get(name, {}))
            for name, options in _backends(layout, run).items()
            if not DeliveryFolder(layout.delivery(run, name)).load_cursor().finished
        }
        if backends:
            found.append(Pending(run, backends))
    return found


def deliver(
    layout: Layout,
    pending: list[Pending],
    timeout: float,
    tell: Callable[[Supervisor], None] = lambda supervisor: None,
) -> bool:
    """Carry on with these runs until they are delivered, paused, or the time is over.

    A run whose own courier still lives is left to it. A run whose process is dead ends as ``crashed``.

    Args:
        layout: the runcast directory.
        pending: from `find_pending`.
        timeout: seconds.
        tell: called about twice a second.

    Returns:
        Whether no run was left behind because of the time.
    """
    supervisor = Supervisor(layout, "", None, once=True)
    for item in pending:
        close_dead(layout, item.run)
        supervisor.add(item.run, item.backends)
    deadline = time.monotonic() + timeout
    try:
        while any(worker.left for worker in supervisor.workers.values()):
            if time.monotonic() > deadline:
                return False
            supervisor.turn()
            tell(supervisor)
        return True
    finally:
        supervisor.stop()


def _backends(layout: Layout, run: str) -> dict[str, dict[str, Any]]:
    """The backends that any process of the run asked for; the latest options of each."""
    firsts = []
    for path in layout.journal(run).glob("*-0000.rcj"):
        segment = ends(path)
        if segment is not None and isinstance(segment.first, RunStarted):
            firsts.append(segment.first)
    result: dict[str, dict[str, Any]] = {}
    for record in sorted(firsts, key=lambda record: record.time):
        result |= record.backends
    return result


def _with_secrets(options: Mapping[str, Any], today: Mapping[str, Any]) -> dict[str, Any]:
    return {key: today.get(key, value) if MASK in str(value) else value for key, value in options.items()}

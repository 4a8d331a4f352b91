"""``runcast deliver``: what an earlier courier left, after a reboot or an outage."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runcast.courier.closing import close_dead
from runcast.courier.pending import destinations, is_pending
from runcast.courier.supervisor import Supervisor
from runcast.errors import ConfigError, UsageError
from runcast.journal import Layout, is_alive
from runcast.redact import MASK

STALE = 3600.0
"""Seconds after which the lock of a dead process is removed."""


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
            name: _with_secrets(name, options, today.get(name, {}))
            for name, options in destinations(layout, run).items()
            if is_pending(layout, run, name)
        }
        if backends:
            found.append(Pending(run, backends))
    return found


def check_known(layout: Layout, runs: list[str] | None) -> None:
    """Refuse ids that do not exist.

    Raises:
        UsageError: which.
    """
    known = layout.run_ids() if runs else []
    for run in runs or []:
        if run not in known:
            raise UsageError(f"no run {run!r} in {layout.root}; `runcast runs` lists them")


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
    _clean(layout)
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


def _clean(layout: Layout) -> None:
    """Remove the locks of dead processes. A lock that was only just made may not be taken yet."""
    if layout.alive.is_symlink():
        return  # a forged folder: what is in it is not ours to remove
    for path in layout.alive.glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE and not is_alive(layout.alive, path.name):
                path.unlink()


def _with_secrets(name: str, options: Mapping[str, Any], today: Mapping[str, Any]) -> dict[str, Any]:
    """The options with what the journal masks filled in; what cannot be filled in stays masked."""
    result = dict(options)
    for key in [key for key, value in options.items() if MASK in str(value)]:
        variable = _environment(name).get(key, "")
        value = today.get(key, os.environ.get(variable))
        if value is not None:
            result[key] = value
    return result


def _environment(name: str) -> Mapping[str, str]:
    from runcast.plugins.manager import backend_class

    try:
        return backend_class(name).environment
    except ConfigError:
        return {}

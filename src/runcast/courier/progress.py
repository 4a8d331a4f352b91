"""The trainer's view of delivery, from the small files that the courier writes. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable

from runcast.courier.folder import Cursor, DeliveryFolder, DeliveryStatus
from runcast.journal import JournalWriter, Layout
from runcast.receipts import Ref

POLL = 0.02
PATIENCE = 1.0
"""Seconds of waiting before a person is told."""


def wait(
    layout: Layout,
    run: str,
    backends: list[str],
    writer: JournalWriter,
    timeout: float,
    check: Callable[[], None] = lambda: None,
    since: int = 0,
) -> bool:
    """Wait until every backend has acknowledged all that `writer` wrote.

    A backend that was paused after `since` (ns since 1970) is not waited for: before that, it was by
    another courier, and a person may have mended it. `check` is called about once a second, to see that
    the courier lives.

    Returns:
        Whether every backend has it all.
    """
    deadline = time.monotonic() + timeout
    told = time.monotonic() + PATIENCE
    check_at = time.monotonic() + 1.0
    spoke = False
    while True:
        behind = {name: missing(layout, run, name, writer) for name in backends}
        behind = {name: count for name, count in behind.items() if count}
        waiting = [name for name in behind if not _is_paused(layout, run, name, since)]
        now = time.monotonic()
        if not waiting or now >= deadline:
            break
        if now >= check_at:
            check()
            check_at = now + 1.0
        if now >= told and _is_terminal():
            spoke = True
            text = ", ".join(f"{name} ({behind[name]} records left)" for name in waiting)
            _write(f"\r\x1b[Kruncast: delivering to {text}")
        time.sleep(POLL)
    if spoke:
        _write("\r\x1b[K")
    for name, count in behind.items():
        if timeout > 0 or name not in waiting:  # who did not want to wait knows that something is left
            _say_what_is_left(name, count, _status(layout, run, name))
    return not behind


def missing(layout: Layout, run: str, backend: str, writer: JournalWriter) -> int:
    """Records of `writer` that the backend has not acknowledged yet."""
    return writer.seq - _cursor(layout, run, backend).position.seqs.get(writer.writer, 0)


def refs(layout: Layout, run: str, backends: list[str]) -> dict[str, Ref]:
    """Where the run is, for each backend that has opened it."""
    cursors = {name: _cursor(layout, run, name) for name in backends}
    return {name: cursor.ref for name, cursor in cursors.items() if cursor.ref is not None}


def _cursor(layout: Layout, run: str, backend: str) -> Cursor:
    return DeliveryFolder(layout.delivery(run, backend)).load_cursor()


def _status(layout: Layout, run: str, backend: str) -> DeliveryStatus:
    return DeliveryFolder(layout.delivery(run, backend)).load_status()


def _is_paused(layout: Layout, run: str, backend: str, since: int) -> bool:
    status = _status(layout, run, backend)
    return status.state == "paused" and status.time >= since


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # a process without a console, or closed by the script
        return False


def _write(text: str) -> None:
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _say_what_is_left(backend: str, count: int, status: DeliveryStatus) -> None:
    why = f": {status.error}" if status.error else ""
    if status.state == "paused":
        text = f"{backend} is paused{why}; its {count} records are safe: mend it and run `runcast deliver`"
    else:
        text = f"{backend} still waits for {count} records{why}; the courier goes on (`runcast status`)"
    _write(f"runcast: {text}\n")

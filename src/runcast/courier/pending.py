"""What a backend still has to get: decided from the journal and the cursor alone."""

from __future__ import annotations

from typing import Any

from runcast.courier.closing import beginnings
from runcast.courier.folder import DeliveryFolder
from runcast.errors import JournalError
from runcast.journal import JournalReader, Layout, segment_paths
from runcast.names import is_backend_name


def destinations(layout: Layout, run: str) -> dict[str, dict[str, Any]]:
    """The backends that any process of the run asked for; the latest options of each, without secrets.

    A name that no backend can have is left out: it would be the name of a folder.
    """
    result: dict[str, dict[str, Any]] = {}
    for record in beginnings(layout.journal(run)):
        result |= {name: options for name, options in record.backends.items() if is_backend_name(name)}
    return result


def is_pending(layout: Layout, run: str, backend: str) -> bool:
    """Whether the backend may lack something of the run."""
    cursor = DeliveryFolder(layout.delivery(run, backend)).load_cursor()
    if not cursor.finished:
        return True
    # Finished, and then resumed; or a courier added what it had seen. Most often the sizes tell.
    folder, known = layout.journal(run), cursor.position.offsets
    try:
        if all(known.get(path.stem) == path.stat().st_size for path in segment_paths(folder)):
            return False
        return bool(JournalReader(folder, cursor.position.copy(), run=run).read(1))
    except (OSError, JournalError):  # the lane says what it is
        return True

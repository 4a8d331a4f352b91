"""runcast-csv: metrics as CSV, the rest as JSON lines. License: Apache-2.0."""

from __future__ import annotations

from collections.abc import Sequence

from runcast.plugins import Backend, hookimpl
from runcast_csv.backend import CsvBackend

__all__ = ["CsvBackend"]


@hookimpl
def runcast_backends() -> Sequence[type[Backend]]:
    """The one backend of this plugin."""
    return [CsvBackend]

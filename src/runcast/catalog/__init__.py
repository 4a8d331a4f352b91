"""The catalog: an index of every run, derived from the journals, to list, compare and plot them.

Curves are read from the journals themselves; the index holds what is small and wanted often.
"""

from runcast.catalog.index import Rebuilt, rebuild
from runcast.catalog.model import ArtifactInfo, LossInfo, MediaInfo, RunInfo, Summary
from runcast.catalog.query import RunList, run, runs
from runcast.catalog.versions import artifacts

__all__ = [
    "ArtifactInfo",
    "LossInfo",
    "MediaInfo",
    "Rebuilt",
    "RunInfo",
    "RunList",
    "Summary",
    "artifacts",
    "rebuild",
    "run",
    "runs",
]

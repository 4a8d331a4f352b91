"""Files that runs made and used: taken in by `collect`, found again by `find`, given out by `StoredArtifact`.

``docs/models.md`` has the meaning of the records.
"""

from runcast.artifacts.collect import Collected, Source, collect
from runcast.artifacts.paths import name_of, refusal, safe_name
from runcast.artifacts.references import Reference, is_uri, public_uri, reference
from runcast.artifacts.stored import StoredArtifact

__all__ = [
    "Collected",
    "Reference",
    "Source",
    "StoredArtifact",
    "collect",
    "is_uri",
    "name_of",
    "public_uri",
    "reference",
    "refusal",
    "safe_name",
]

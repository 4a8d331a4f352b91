"""Moving history between trackers: source → records → journal → courier → backend.

Live logging and migration are one path, so that retry, resume and order come for free. `prepare` looks at two
addresses, `migrate` brings what is new, `verify` reads the destination back and compares.
"""

from __future__ import annotations

from runcast.migrate.engine import Plan, Progress, migrate, prepare
from runcast.migrate.manifest import Manifest, RunEntry, manifests

__all__ = ["Manifest", "Plan", "Progress", "RunEntry", "manifests", "migrate", "prepare"]

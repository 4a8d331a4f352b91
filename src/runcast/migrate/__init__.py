"""Moving history between trackers: source → records → journal → courier → backend.

Live logging and migration are one path, so that retry, resume and order come for free. `prepare` looks at two
addresses, `contract.plan` says what would be lost, `migrate` brings what is new, `verify.verify` reads the
destination back and compares, `rollback.rollback` takes back. ``docs/migration.md`` has the whole.
"""

from __future__ import annotations

from runcast.migrate.engine import Plan, Progress, at_once, migrate, prepare
from runcast.migrate.manifest import Manifest, RunEntry, manifests

__all__ = ["Manifest", "Plan", "Progress", "RunEntry", "at_once", "manifests", "migrate", "prepare"]

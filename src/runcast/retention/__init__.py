"""What takes room in runcast's folder and is needed by nothing: told, and removed where that is wanted."""

from __future__ import annotations

from runcast.retention.plan import Found, Kept, Rules, look
from runcast.retention.removal import at_work, sweep

__all__ = ["Found", "Kept", "Rules", "at_work", "look", "sweep"]

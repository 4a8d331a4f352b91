"""What the stand-in says no to."""

from __future__ import annotations


class Refused(Exception):
    """A question that W&B's server would refuse, too: the client is told, and nothing is recorded."""

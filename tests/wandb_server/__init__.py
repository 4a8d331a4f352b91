"""A stand-in for W&B's server, for W&B's own client: on loopback, in memory, and strict.

It is written from what the client asks, not from the server: see ``docs/verification.md`` for what it shows.
"""

from .server import FEATURES, Server

__all__ = ["FEATURES", "Server"]

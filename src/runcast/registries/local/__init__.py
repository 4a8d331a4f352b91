"""The registry without a server: an SQLite file beside the content-addressed files of runcast's folder."""

from runcast.registries.local.registry import LocalRegistry

__all__ = ["LocalRegistry"]

"""Imports well, and cannot be opened."""

from __future__ import annotations

from runcast.plugins import Backend, Capabilities, hookimpl


class Opening(Backend):
    """Raises what no contract names."""

    name = "opening"
    capabilities = Capabilities()

    def open(self, run):
        """Raise."""
        raise LookupError("the server at https://ada:hunter2@tracker is on holiday")

    def deliver(self, batch):
        """Never called."""
        raise AssertionError


@hookimpl
def runcast_backends():
    """The one backend."""
    return [Opening]

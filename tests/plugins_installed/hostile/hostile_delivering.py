"""Opens well, and takes nothing."""

from __future__ import annotations

from runcast.plugins import Backend, Capabilities, Ref, hookimpl


class Delivering(Backend):
    """Raises what no contract names, and prints."""

    name = "delivering"
    capabilities = Capabilities()

    def open(self, run):
        """Print into what might be somebody's pipe."""
        print('{"busy": 1e9}', flush=True)
        return Ref(id="x")

    def deliver(self, batch):
        """Raise."""
        raise ZeroDivisionError("https://ada:hunter2@tracker divided by zero")


@hookimpl
def runcast_backends():
    """The one backend."""
    return [Delivering]

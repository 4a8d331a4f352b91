"""Opens well, and never comes back."""

from __future__ import annotations

import signal

from runcast.plugins import Backend, Capabilities, Ref, hookimpl


class Hanging(Backend):
    """Waits for a signal that nobody sends."""

    name = "hanging"
    capabilities = Capabilities()
    deadline = 0.5

    def open(self, run):
        """Nothing to do."""
        return Ref(id="x")

    def deliver(self, batch):
        """Hang, deaf to a polite end."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()


@hookimpl
def runcast_backends():
    """The one backend."""
    return [Hanging]

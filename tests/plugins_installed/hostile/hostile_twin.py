"""Has a name that another one wants."""

from __future__ import annotations

from runcast.plugins import Backend, Capabilities, Receipt, Ref, hookimpl


class Twin(Backend):
    """Was there first."""

    name = "twin"
    capabilities = Capabilities()

    def open(self, run):
        """Fine."""
        return Ref(id="first")

    def deliver(self, batch):
        """Fine."""
        return Receipt()


@hookimpl
def runcast_backends():
    """The one backend."""
    return [Twin]

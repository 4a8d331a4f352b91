"""Answers, but never with what was asked for."""

from __future__ import annotations

from runcast.plugins import Backend, Capabilities, Ref, hookimpl


class Ref_(Backend):
    """A reference that is none."""

    name = "misref"
    capabilities = Capabilities()

    def open(self, run):
        """Not a Ref."""
        return {"id": 7}

    def deliver(self, batch):
        """Never reached."""
        raise AssertionError


class Receipt_(Backend):
    """A receipt that is none."""

    name = "misreceipt"
    capabilities = Capabilities()

    def open(self, run):
        """Fine so far."""
        return Ref(id="x")

    def deliver(self, batch):
        """Not a Receipt."""
        return 7


class State_(Backend):
    """A memory that no JSON can hold."""

    name = "misstate"
    capabilities = Capabilities()

    def open(self, run):
        """Fine so far."""
        self.run = run
        return Ref(id="x")

    def deliver(self, batch):
        """Remember oneself."""
        from runcast.plugins import Receipt

        self.run.state["me"] = self
        return Receipt()


@hookimpl
def runcast_backends():
    """Three backends, and something that is none."""
    return [Ref_, Receipt_, State_, "not a class"]

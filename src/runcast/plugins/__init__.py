"""What a plugin author needs: the backend contract, capabilities, and the hook marker."""

from runcast.plugins.backend import Backend, Finding, OpenRun, Options
from runcast.plugins.capabilities import (
    Capabilities,
    Support,
    mapped,
    native,
    never,
    notimpl,
    notyet,
)
from runcast.plugins.description import Description
from runcast.plugins.hookspecs import hookimpl
from runcast.receipts import Change, Made, Receipt, Ref

__all__ = [
    "Backend",
    "Capabilities",
    "Change",
    "Description",
    "Finding",
    "Made",
    "OpenRun",
    "Options",
    "Receipt",
    "Ref",
    "Support",
    "hookimpl",
    "mapped",
    "native",
    "never",
    "notimpl",
    "notyet",
]

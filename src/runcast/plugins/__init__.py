"""What a plugin author needs: the backend contract, capabilities, and the hook marker."""

from runcast.plugins.backend import Backend, Change, Finding, OpenRun, Options, Receipt, Ref
from runcast.plugins.capabilities import (
    Capabilities,
    Support,
    mapped,
    native,
    never,
    notimpl,
    notyet,
)
from runcast.plugins.hookspecs import hookimpl

__all__ = [
    "Backend",
    "Capabilities",
    "Change",
    "Finding",
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

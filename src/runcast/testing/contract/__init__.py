"""The conformance kit for backends: `BackendContract`.

class TestAcme(BackendContract):
    backend = AcmeBackend

    def options(self, tmp_path):
        return {"folder": str(tmp_path / "acme")}

    def read_back(self, run):
        return ReadBack(metrics=..., params=..., ...)       # without the backend
"""

from __future__ import annotations

from runcast.testing.contract.content import Content
from runcast.testing.contract.manners import Manners
from runcast.testing.contract.recovery import Recovery
from runcast.testing.contract.refusal import Refusal

__all__ = ["BackendContract"]


class BackendContract(Content, Recovery, Refusal, Manners):
    """Everything that a backend promises; see `runcast.plugins.backend` and the base classes' tests.

    Subclass it, with a name that pytest collects; set `backend`, `options` and `read_back`; the other
    attributes only where the defaults do not fit. What may differ between what was said and what is read
    follows from the backend's capabilities and from the changes that it reports; see
    `runcast.testing.compare`.
    """

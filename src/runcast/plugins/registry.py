"""The contract between runcast and one tracker's model registry."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar


class Registry(ABC):
    """One tracker's model versions, aliases and stages."""

    name: ClassVar[str]
    """That of the backend whose options it shares."""
    requires: ClassVar[Mapping[str, str]] = {}
    """Importable module → what ``pip install`` needs."""

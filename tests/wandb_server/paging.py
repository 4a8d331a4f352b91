"""Pages of a list, in GraphQL's form: edges with cursors."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


def global_id(kind: str, number: int | str) -> str:
    """An id as W&B's server spells it; the client takes those of artifacts apart."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


@dataclass
class Edge:
    """One item of a page, with its own cursor; `version` where the page is of a collection's versions."""

    node: Any
    cursor: str
    version: str | None = None


@dataclass
class PageInfo:
    """Where a page ends."""

    end_cursor: str | None
    has_next_page: bool


@dataclass
class Connection:
    """One page."""

    edges: list[Edge]
    page_info: PageInfo
    total_count: int


def page(items: Iterable[Any], after: str | None = None, first: int | None = None) -> Connection:
    """The `first` items behind the one that the cursor `after` stands for; without them, all."""
    everything = list(items)
    start = int(base64.b64decode(after).decode().partition(":")[2]) + 1 if after else 0
    end = len(everything) if first is None else min(start + first, len(everything))
    edges = [Edge(everything[at], global_id("cursor", at)) for at in range(start, end)]
    info = PageInfo(edges[-1].cursor if edges else None, end < len(everything))
    return Connection(edges, info, len(everything))

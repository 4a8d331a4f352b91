"""What a tracker is good for and what it costs: its backend says so, and the selector reads it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Hosting = Literal["cloud", "self-hosted"]
Framework = Literal["pytorch", "tensorflow", "sklearn", "mixed"]
Need = Literal[
    "registry", "sweeps", "offline", "no-account", "no-server", "collaboration", "reports"
]  # fmt: skip


class Description(BaseModel):
    """One tracker in the selector's words. Prices are rough and age: the note says what to check.

    Attributes:
        title: the tracker's own name.
        hosting: where it can run.
        needs: what it serves beyond what `Capabilities` say.
        strengths: what people choose it for, one short line each.
        frameworks: those that it is made for; empty: all alike.
        free_seats: people who may use its cloud without paying; None: its cloud, if any, has no seats.
        seat_price: USD per month and person beyond those, from and to.
        server_price: USD per month for a server that a team shares, from and to; None: only by an offer of
            the vendor.
        price_note: what the figures leave out.
        package: module that must be installed before it is worth choosing; "" for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    hosting: frozenset[Hosting]
    needs: frozenset[Need] = frozenset()
    strengths: tuple[str, ...] = ()
    frameworks: frozenset[Framework] = frozenset()
    free_seats: int | None = Field(default=None, ge=0)
    seat_price: tuple[float, float] = (0.0, 0.0)
    server_price: tuple[float, float] | None = (0.0, 0.0)
    price_note: str = ""
    package: str = ""

"""What Weights & Biases is good for and what it costs, for the selector."""

from __future__ import annotations

from runcast.plugins.description import Description

DESCRIPTION = Description(
    title="Weights & Biases",
    hosting=frozenset({"cloud", "self-hosted"}),
    needs=frozenset({"registry", "sweeps", "offline", "collaboration", "reports"}),
    strengths=(
        "live charts in the browser without a server of your own",
        "sweeps, reports and shared workspaces",
        "artifacts with versions and lineage",
    ),
    free_seats=1,
    seat_price=(50.0, 100.0),
    server_price=None,
    price_note="the cloud is free for one person (and for academic teams), a seat beyond that costs about 50 "
    "to 100 USD a month; a server of your own needs a licence; check the vendor's list",
    package="wandb",
)

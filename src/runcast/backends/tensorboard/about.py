"""What TensorBoard is good for and what it costs, for the selector."""

from __future__ import annotations

from runcast.plugins.description import Description

DESCRIPTION = Description(
    title="TensorBoard",
    hosting=frozenset({"self-hosted"}),
    needs=frozenset({"offline", "no-account", "no-server"}),
    strengths=(
        "files only: nothing to run while training, nothing to sign up for",
        "histograms, graphs, embeddings, audio and meshes in one viewer",
        "known to every PyTorch and TensorFlow user",
    ),
    frameworks=frozenset({"pytorch", "tensorflow"}),
    price_note="free software; files on a disk",
)

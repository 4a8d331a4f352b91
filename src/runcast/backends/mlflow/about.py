"""What MLflow is good for and what it costs, for the selector."""

from __future__ import annotations

from runcast.plugins.description import Description

DESCRIPTION = Description(
    title="MLflow",
    hosting=frozenset({"cloud", "self-hosted"}),
    needs=frozenset({"registry", "offline", "no-account", "no-server"}),
    strengths=(
        "free software: a file for one person, a server for a team",
        "a model registry, and native forms of models from scikit-learn to PyTorch",
        "traces of LLM calls",
    ),
    server_price=(20.0, 200.0),
    price_note="free software; a team's server costs its machine and its care; managed ones have prices of "
    "their own",
    package="mlflow",
)

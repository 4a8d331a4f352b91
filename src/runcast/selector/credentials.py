"""Whether a tracker's own credentials are there; nothing is kept or shown of them."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from runcast.config.keys import netrc_password


def account(backend: str) -> bool | None:
    """Whether a key (W&B) or a server (MLflow) is configured; None where none is needed to begin."""
    if backend == "wandb":
        host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
        return bool(os.environ.get("WANDB_API_KEY") or netrc_password(host))
    if backend == "mlflow" and os.environ.get("MLFLOW_TRACKING_URI"):
        return True
    return None

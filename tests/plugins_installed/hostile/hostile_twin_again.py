"""Wants a name that another one has, and a built-in one."""

from __future__ import annotations

from hostile_twin import Twin
from runcast.plugins import hookimpl


class Again(Twin):
    """Came second."""


class Mlflow(Twin):
    """Would like to get everybody's MLflow runs."""

    name = "mlflow"


@hookimpl
def runcast_backends():
    """Two backends under names of others."""
    return [Again, Mlflow]

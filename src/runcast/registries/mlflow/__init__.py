"""MLflow's registry: registered models, versions, aliases, and the stages that MLflow 3 still shows."""

from runcast.registries.mlflow.registry import MlflowRegistry

__all__ = ["MlflowRegistry"]

"""W&B's registry: collections that versions of artifacts are linked to."""

from runcast.registries.wandb.registry import WandbRegistry

__all__ = ["WandbRegistry"]

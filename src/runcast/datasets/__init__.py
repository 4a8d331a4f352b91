"""Datasets: what is known of data without keeping them. ``docs/models.md`` has digests and fields."""

from runcast.datasets.look import KEYS, Seen, look

__all__ = ["KEYS", "Seen", "look"]

"""Looks at the machine and at the trainer's processes, by psutil and NVML where they are installed."""

from runcast.system.sampler import Sampler, is_available

__all__ = ["Sampler", "is_available"]

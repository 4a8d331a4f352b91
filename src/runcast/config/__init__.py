"""Configuration in layers: arguments, ``RUNCAST_*``, the project's file, the user's file, defaults."""

from runcast.config.load import load
from runcast.config.settings import Config, Policy, Profile, Route, Rules, Settings

__all__ = ["Config", "Policy", "Profile", "Route", "Rules", "Settings", "load"]

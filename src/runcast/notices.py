"""How runcast speaks to a person while a script runs."""

from __future__ import annotations


def warn(message: str) -> None:
    """Tell a person, through the logger ``runcast``."""
    import logging  # 5 ms that a run without trouble need not pay

    logging.getLogger("runcast").warning("%s", message)

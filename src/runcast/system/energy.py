"""Energy and carbon of the whole machine, as codecarbon estimates them without any network.

Source: https://docs.codecarbon.io. Where the processor tells no power, it is estimated from model and load.
"""

from __future__ import annotations

import contextlib
import logging
from importlib.util import find_spec
from typing import Any

_OFTEN = 15  # seconds between codecarbon's own looks


def is_available() -> bool:
    """Whether codecarbon is installed."""
    return find_spec("codecarbon") is not None


class Energy:
    """Counts from its making on.

    Args:
        country: ISO code, three letters; says how much carbon a kilowatt-hour costs.
        before: an earlier look at the same run, to count on from.

    Raises:
        ImportError: codecarbon is not installed.
    """

    def __init__(self, country: str, before: dict[str, Any] | None = None) -> None:
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        from codecarbon import OfflineEmissionsTracker
        from codecarbon.output import BaseOutput

        totals: dict[str, float] = {}

        class Keep(BaseOutput):  # type: ignore[misc]  # codecarbon ships no types
            """Takes the totals where codecarbon would write a file."""

            def out(self, total: Any, delta: Any) -> None:
                totals["energy/kwh"], totals["energy/co2_kg"] = total.energy_consumed, total.emissions

        self._totals = totals
        self._before = {key: float((before or {}).get(key, 0.0)) for key in ("energy/kwh", "energy/co2_kg")}
        self._tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            tracking_mode="machine",  # its "process" would be the courier
            save_to_file=False,
            save_to_api=False,
            save_to_logger=False,
            log_level="critical",
            allow_multiple_runs=True,
            measure_power_secs=_OFTEN,
            output_handlers=[Keep()],
        )
        self._tracker.start()

    def look(self) -> dict[str, float]:
        """``energy/kwh`` and ``energy/co2_kg`` since the start of the run."""
        with contextlib.suppress(Exception):  # an estimate must not cost the other numbers
            self._tracker.flush()
        return {key: self._before[key] + value for key, value in self._totals.items()}

    def close(self) -> None:
        """Stop counting."""
        with contextlib.suppress(Exception):
            self._tracker.stop()

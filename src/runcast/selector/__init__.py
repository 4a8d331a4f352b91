"""Which tracker fits: from team size, budget, hosting and framework to reasons, costs and configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runcast.selector.model import Recommendation

__all__ = ["select"]


def select(
    team_size: str | int = "individual",
    budget: str = "free",
    hosting: str = "either",
    framework: str | None = None,
    *,
    needs: Iterable[str] = (),
) -> Recommendation:
    """Recommend trackers.

    Args:
        team_size: ``individual``, ``small`` (2 to 10 people) or ``large``; or the number of people.
        budget: ``free``, ``limited`` or ``enterprise``.
        hosting: ``cloud``, ``self-hosted`` or ``either``.
        framework: ``pytorch``, ``tensorflow``, ``sklearn`` or ``mixed``; may be left open.
        needs: what must be served, whatever else speaks for another: ``registry``, ``sweeps``, ``offline``,
            ``no-account``, ``no-server``, ``collaboration``, ``reports``, or a field of
            `runcast.plugins.Capabilities` (``artifacts``, ``traces``, ...).

    Raises:
        UsageError: a word that is none of these; the message lists them.
    """
    from runcast.selector.recommend import recommend

    return recommend(team_size, budget, hosting, framework, needs)

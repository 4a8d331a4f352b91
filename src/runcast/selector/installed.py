"""The choice that `start` makes by itself: quick, and only among what is installed."""

from __future__ import annotations

from runcast.config.packages import is_installed
from runcast.config.settings import Profile
from runcast.selector.credentials import account
from runcast.selector.rules import PACKAGES, choose_ready, complement, rank


def choose(profile: Profile) -> tuple[list[str], str]:
    """Names of backends for a profile, and why, with the setting that overrules it.

    What the profile leaves open counts as one person, free, hosted anywhere, any framework.
    """
    team_size = profile.team_size or "individual"
    ranking = rank(team_size, profile.budget or "free", profile.hosting or "either", profile.framework)
    ready = [name for name in ranking.names if name not in PACKAGES or is_installed(PACKAGES[name])]
    accounts = [name for name in ranking.names[:2] if ranking.equal and account(name)]
    first = choose_ready(ranking, ready, accounts)
    why = ranking.reason
    if first != ranking.names[0]:
        missing = ranking.names[0] not in ready
        lack = "is not installed" if missing else "has no key here"
        why = f"{ranking.names[0]} would come first, but {lack}"
    chosen = [first]
    extra = complement(first, team_size, profile.framework)
    if extra is not None and extra[0] in ready:
        chosen.append(extra[0])
        why += f"; beside it {extra[0]}, for {extra[1]}"
    return chosen, f"{why}. Set `backends` to choose yourself; `runcast select` explains"

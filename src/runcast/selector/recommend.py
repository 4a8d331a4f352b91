"""From the rules to an answer with reasons, prices, gains and losses, and configuration."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import get_args

from runcast.config.packages import is_installed
from runcast.errors import ConfigError, UsageError
from runcast.plugins.backend import Backend
from runcast.plugins.capabilities import Capabilities
from runcast.plugins.description import Description, Need
from runcast.plugins.manager import backend_class, backend_names
from runcast.selector.credentials import account
from runcast.selector.model import Choice, Cost, Difference, Recommendation
from runcast.selector.rules import BUDGETS, FRAMEWORKS, HOSTINGS, TEAM_SIZES, Ranking, complement, rank

SEATS = {"individual": (1, 1), "small": (2, 10), "large": (11, 50)}
"""People per team size, from and to; above 50 the vendor's offer counts anyway."""
_HELD = ("native", "mapped")


def recommend(
    team_size: str | int, budget: str, hosting: str, framework: str | None, needs: Iterable[str]
) -> Recommendation:
    """See `runcast.selector.select`."""
    seats = None
    if isinstance(team_size, int) and not isinstance(team_size, bool):
        seats = (team_size, team_size)
        if team_size < 1:
            raise UsageError(f"team_size={team_size}: a team has at least one person")
        team_size = "individual" if team_size == 1 else "small" if team_size <= 10 else "large"
    _check("team_size", team_size, TEAM_SIZES)
    _check("budget", budget, BUDGETS)
    _check("hosting", hosting, HOSTINGS)
    if framework is not None:
        _check("framework", framework, FRAMEWORKS)
    needs = [needs] if isinstance(needs, str) else list(dict.fromkeys(needs))
    for need in needs:
        _check("needs", need, (*get_args(Need), *Capabilities.model_fields))

    ranking = rank(str(team_size), budget, hosting, framework)
    kinds = _described()
    order = sorted(kinds, key=lambda name: _key(name, kinds, ranking, needs, hosting, framework))
    people = seats or SEATS[str(team_size)]
    choices = [_choice(name, order, kinds, ranking, needs, hosting, people) for name in order]
    if budget == "free":
        choices = [_priced(choice, kinds[choice.backend][1]) for choice in choices]
    backends, beside = _together(choices, kinds, str(team_size), framework, needs)
    profile = {"team_size": str(team_size), "budget": budget, "hosting": hosting}
    profile |= {"framework": framework} if framework else {}
    equal = ranking.equal and order[:2] == list(ranking.names[:2]) and not choices[1].unmet
    return Recommendation(
        choices=choices,
        equal=equal,
        backends=backends,
        beside=beside,
        toml=toml(backends, profile),
        profile=profile,
    )


def toml(backends: list[str], profile: dict[str, str]) -> str:
    """The text of a ``runcast.toml`` for these trackers."""
    names = ", ".join(f'"{name}"' for name in backends)
    lines = ["# What runs log to; `runcast doctor` checks it.", f"backends = [{names}]"]
    if "mlflow" in backends and profile.get("team_size") != "individual":
        lines += ["", "[mlflow]", "# A team's server goes here: https://mlflow.example.org"]
        lines += ['uri = "sqlite:///mlflow.db"']
    lines += ["", "[profile]", *(f'{key} = "{value}"' for key, value in profile.items())]
    return "\n".join(lines) + "\n"


def _check(name: str, word: object, known: Iterable[str]) -> None:
    words = list(known)
    if word not in words:
        near = get_close_matches(str(word), words, n=1)
        hint = f"do you mean {near[0]!r}? " if near else ""
        raise UsageError(f"{name}={word!r}: {hint}it is one of {', '.join(words)}")


def _described() -> dict[str, tuple[type[Backend], Description]]:
    """Every backend that says what it is good for."""
    kinds: dict[str, tuple[type[Backend], Description]] = {}
    for name in backend_names():
        try:
            kind = backend_class(name)
        except ConfigError:
            continue
        if isinstance(kind.description, Description):
            kinds[name] = kind, kind.description
    return kinds


def _key(
    name: str,
    kinds: dict[str, tuple[type[Backend], Description]],
    ranking: Ranking,
    needs: list[str],
    hosting: str,
    framework: str | None,
) -> tuple[int, int, int, int, str]:
    kind, about = kinds[name]
    unmet = len(_unmet(kind, about, needs))
    if name in ranking.names:
        return unmet, 0, 0, ranking.names.index(name), name
    elsewhere = hosting != "either" and hosting not in about.hosting
    foreign = bool(about.frameworks) and framework is not None and framework not in about.frameworks
    return unmet, 1, elsewhere + foreign, 0, name


def _priced(choice: Choice, about: Description) -> Choice:
    """For whoever may spend nothing: say so where a tracker does not stay free."""
    cost = choice.cost
    if cost.low == 0 and cost.high == 0:
        return choice
    warning = "beyond its free part it costs money" if cost.high is not None else "here it needs a licence"
    if not _has_seats(about) and cost.high is not None:
        warning = "the software is free, the machine of a shared server is not"
    return choice.model_copy(update={"reasons": [*choice.reasons, warning]})


def _unmet(kind: type[Backend], about: Description, needs: list[str]) -> list[str]:
    return [need for need in needs if not _serves(kind, about, need)]


def _serves(kind: type[Backend], about: Description, need: str) -> bool:
    if need in Capabilities.model_fields:
        return getattr(kind.capabilities, need).level in _HELD
    return need in about.needs


def _choice(
    name: str,
    order: list[str],
    kinds: dict[str, tuple[type[Backend], Description]],
    ranking: Ranking,
    needs: list[str],
    hosting: str,
    people: tuple[int, int],
) -> Choice:
    kind, about = kinds[name]
    other = order[1 if name == order[0] else 0] if len(order) > 1 else name
    unmet = _unmet(kind, about, needs)
    installed = not about.package or is_installed(about.package)
    credentials = account(name)
    todo = [] if installed else [f"pip install 'runcast[{name}]'"]
    if credentials is False and hosting != "self-hosted":
        todo.append("wandb login" if name == "wandb" else f"runcast doctor  # credentials of {about.title}")
    return Choice(
        backend=name,
        title=about.title,
        reasons=_reasons(name, order, ranking, needs, unmet, about, hosting),
        strengths=list(about.strengths),
        unmet=unmet,
        wins=_differences(kind, kinds[other][0]),
        losses=_differences(kinds[other][0], kind),
        cost=_cost(about, hosting, people),
        installed=installed,
        credentials=credentials,
        todo=todo,
    )


def _reasons(
    name: str,
    order: list[str],
    ranking: Ranking,
    needs: list[str],
    unmet: list[str],
    about: Description,
    hosting: str,
) -> list[str]:
    reasons = []
    if name == ranking.names[0]:
        reasons.append(ranking.reason)
    elif name == order[0]:
        reasons.append(f"serves {', '.join(needs)}, which {ranking.names[0]} does not")
    elif ranking.equal and name == ranking.names[1]:
        reasons.append("as good as the first: free software where a server of your own is no burden")
    if unmet:
        reasons.append(f"does not serve: {', '.join(unmet)}")
    if hosting != "either" and hosting not in about.hosting:
        reasons.append(f"cannot be {'in the cloud' if hosting == 'cloud' else 'self-hosted'}")
    return reasons or ["comes after, by the same rules"]


def _differences(more: type[Backend], less: type[Backend]) -> list[Difference]:
    """Features that `more` holds natively and `less` does not."""
    found = []
    for name, field in Capabilities.model_fields.items():
        here, there = getattr(more.capabilities, name), getattr(less.capabilities, name)
        if here.level == "native" and there.level != "native":
            found.append(Difference(feature=field.description or name, note=there.note))
    return found


def _cost(about: Description, hosting: str, people: tuple[int, int]) -> Cost:
    """A team's month: seats in the vendor's cloud, or the machine that a shared server runs on."""
    fewest, most = people
    if _has_seats(about) and (hosting != "self-hosted" or "self-hosted" not in about.hosting):
        free = about.free_seats
        low, high = about.seat_price
        paid = (0, 0) if free is None else (max(0, fewest - free), max(0, most - free))
        return Cost(low=low * paid[0], high=high * paid[1], note=about.price_note)
    if about.server_price is None:
        return Cost(low=None, high=None, note=about.price_note)
    low, high = about.server_price if most > 1 else (0.0, 0.0)
    return Cost(low=low, high=high, note=about.price_note)


def _has_seats(about: Description) -> bool:
    """Whether its cloud is paid for by the person."""
    return about.free_seats is not None


def _together(
    choices: list[Choice],
    kinds: dict[str, tuple[type[Backend], Description]],
    team_size: str,
    framework: str | None,
    needs: list[str],
) -> tuple[list[str], dict[str, str]]:
    """The first choice, and those that have what it lacks."""
    first = choices[0]
    backends, beside = [first.backend], {}
    extra = complement(first.backend, team_size, framework)
    if extra is not None and extra[0] in kinds:
        backends.append(extra[0])
        beside[extra[0]] = extra[1]
    for need in first.unmet:  # nobody serves everything: somebody else serves this
        helper = next((c.backend for c in choices[1:] if need in needs and need not in c.unmet), None)
        if helper is not None:
            if helper not in backends:
                backends.append(helper)
            beside[helper] = f"serves {need}" if helper not in beside else f"{beside[helper]}; serves {need}"
    return backends, beside

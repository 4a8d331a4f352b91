"""Names of models, aliases and tags that every tracker takes, and what a name with a suffix means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from runcast.config import Policy
from runcast.errors import UsageError
from runcast.plugins.registry import ModelVersion

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_RESERVED = re.compile(r"latest|v\d+|[0-9a-f]{12,64}", re.IGNORECASE)
_TAG = re.compile(r"\w(?:[\w. -]{0,98}\w)?", re.ASCII)
_OWN = ("runcast.", "mlflow.", "wandb.")
_LONGEST_VALUE = 4000
_VERSION = re.compile(r"v?(\d{1,9})")
_DIGEST = re.compile(r"[0-9a-f]{12,64}")


def model_name(name: str) -> str:
    """`name`, if every tracker takes it.

    Raises:
        UsageError: one of them would not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"model name {name!r:.120}: use letters, digits, '.', '_' and '-', at most 100, beginning with a "
            "letter or digit; that is what every registry takes"
        )
    return name


def alias_name(alias: str, policy: Policy) -> str:
    """`alias`, if every tracker takes it and no stage is called so.

    Raises:
        UsageError: it is reserved, a stage, or no alias.
    """
    if alias in policy.stages:
        raise UsageError(f"alias {alias!r} is a stage of the policy: use `promote`, or `rollback`")
    if _RESERVED.fullmatch(alias) or alias == "archived":
        raise UsageError(
            f"alias {alias!r} is reserved: 'latest' and 'v3' are the trackers' own, 'archived' and "
            "digests are runcast's; choose another"
        )
    if not _ALIAS.fullmatch(alias):
        raise UsageError(
            f"alias {alias!r:.120}: use letters, digits, '_' and '-', at most 100, beginning with a letter"
        )
    return alias


def tag_of(key: str, value: str) -> tuple[str, str]:
    """A tag, if every tracker takes it.

    Raises:
        UsageError: one of them would not.
    """
    if not _TAG.fullmatch(key) or key.startswith(_OWN):
        raise UsageError(
            f"tag {key!r:.120}: use letters, digits, ' ', '.', '_' and '-', at most 100, none that "
            f"begins with {', '.join(_OWN)}"
        )
    if len(value) > _LONGEST_VALUE:
        raise UsageError(
            f"tag {key!r}: its value has {len(value)} characters, more than {_LONGEST_VALUE}; shorten it"
        )
    return key, value


def stage_name(stage: str, policy: Policy) -> str:
    """`stage`, if the policy has it.

    Raises:
        UsageError: it has not; the message lists those that it has.
    """
    if stage not in policy.stages:
        raise UsageError(
            f"the policy has no stage {stage!r}; it has {', '.join(policy.stages)} ([registry.policy] stages)"
        )
    return stage


def split(wanted: str) -> tuple[str, str, str]:
    """Name, mark and rest of ``name@alias``, ``name/stage``, ``name:v3``; mark and rest are "" for a name."""
    found = re.fullmatch(r"([^@/:]+)(?:([@/:])(.+))?", wanted)
    if found is None:
        raise UsageError(f"{wanted!r:.120}: write name, name:v3, name@alias, name@digest or name/stage")
    return model_name(found[1]), found[2] or "", found[3] or ""


def pick(wanted: str, versions: Sequence[ModelVersion], names: Iterable[str], policy: Policy) -> ModelVersion:
    """The version that is meant; the newest where only the name is given.

    Args:
        wanted: see `split`.
        versions: those of the name, in order.
        names: of every model, for the message.
        policy: which stages there are.

    Raises:
        UsageError: there is none; the message lists what there is.
    """
    name, mark, rest = split(wanted)
    if not versions:
        if name in (names := list(names)):
            raise UsageError(f"model {name!r} has no version yet; register one")
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:5]
        hint = f"there are {', '.join(near)}" if near else "none was registered"
        raise UsageError(f"there is no model {name!r}; {hint}")
    where = versions[0].registry
    if not mark or (mark == ":" and rest == "latest"):
        return versions[-1]
    if mark == "/":
        stage_name(rest, policy)
        fit = [v for v in versions if rest in v.aliases]
        if not fit:
            raise UsageError(f"no version of {name!r} ({where}) is in stage {rest!r}; {_there(versions)}")
        return fit[-1]
    number = _VERSION.fullmatch(rest)
    if mark == ":" and number:
        fit = [v for v in versions if v.version == int(number[1])]
    else:
        fit = [v for v in versions if rest in v.aliases]
        if not fit and _DIGEST.fullmatch(rest):
            fit = [v for v in versions if v.digest.startswith(rest)]
    if not fit:
        what = f"version {rest}" if number else f"alias {rest!r}"
        raise UsageError(f"model {name!r} ({where}) has no {what}; {_there(versions)}")
    return fit[-1]


def _there(versions: Sequence[ModelVersion]) -> str:
    return "there are " + "; ".join(", ".join([f"v{v.version}", *v.aliases]) for v in versions[-8:])

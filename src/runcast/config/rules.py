"""The ``[rules]`` table: what a team asks of names and tags, told at the start of a run."""

from __future__ import annotations

import re
from collections.abc import Collection

from runcast.config.settings import Rules


def not_a_pattern(pattern: str) -> str | None:
    """Why text is no regular expression; None where it is one."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"no regular expression: {error}"
    return None


def violations(
    rules: Rules, experiment: str, name: str | None, tags: Collection[str], *, nested: bool
) -> list[str]:
    """One sentence for each rule that a run breaks: rule, value and mend.

    Args:
        name: None where the script gave none, so that runcast makes one up.
        tags: names of the tags that it is started with.
        nested: a nested run needs no tags of its own.
    """
    found = []
    if rules.experiment and not re.fullmatch(rules.experiment, experiment):
        found.append(
            f"rules.experiment: the experiment {experiment!r} does not match {rules.experiment!r}; "
            "give start(...) one that does"
        )
    if rules.name and (name is None or not re.fullmatch(rules.name, name)):
        what = "the run was given no name, and" if name is None else f"the name {name!r} does not match"
        found.append(
            f"rules.name: {what} {rules.name!r}{' is asked for' * (name is None)}; "
            "give start(..., name=...) one that does"
        )
    missing = [] if nested else [tag for tag in rules.required_tags if tag not in tags]
    if missing:
        example = ", ".join(f"{tag!r}: ..." for tag in missing)
        found.append(
            f"rules.required_tags: the run has no tag {', '.join(missing)}; "
            f"give start(..., tags={{{example}}})"
        )
    return found

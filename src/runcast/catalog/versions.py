"""Versions of artifacts and models: what a name, an alias or a digest means.

A version is a distinct content of one name in one experiment; they count from 0 by the time of their first
sight. Everything is worked out when asked, from every run of the experiment, so that a catalog that was
rebuilt, or filled in another order, gives the same answer.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from runcast.catalog.index import home, opened, refresh
from runcast.catalog.logged import files_out
from runcast.catalog.model import ArtifactInfo
from runcast.catalog.values import json_out, optional_in, text_out
from runcast.errors import UsageError

_QUERY = """
WITH peers AS (
    SELECT a.*, r.id AS run_id, r.experiment FROM artifacts a JOIN runs r ON r.n = a.run
    WHERE (:experiment IS NULL OR r.experiment = :experiment)
      AND (:run IS NULL OR a.name IN
           (SELECT b.name FROM artifacts b JOIN runs s ON s.n = b.run WHERE s.id = :run))
), seen AS (
    SELECT experiment, name, digest,
           DENSE_RANK() OVER (PARTITION BY experiment, name ORDER BY MIN(time_ns), digest) - 1 AS version
    FROM peers GROUP BY experiment, name, digest
)
SELECT run_id, p.experiment, p.name, type, version, p.digest, aliases, metadata, files, time_ns, description,
       model
FROM peers p JOIN seen s ON s.experiment = p.experiment AND s.name = p.name AND s.digest = p.digest
ORDER BY time_ns, run_id, writer, seq
"""
_VERSION = re.compile(r"v(\d{1,18})")
_DIGEST = re.compile(r"[0-9a-f]{6,64}")


class Found(NamedTuple):
    """What a name stands for now.

    Attributes:
        info: the version, as it was logged last.
        alias: the moving name that it was asked for by, or None.
    """

    info: ArtifactInfo
    alias: str | None


def versions(
    connection: sqlite3.Connection, *, experiment: str | None = None, run: str | None = None
) -> list[ArtifactInfo]:
    """Everything that was logged, in order: of one experiment, or of the names that a run has, or all."""
    asked = {"experiment": optional_in(experiment), "run": optional_in(run)}
    rows = connection.execute(_QUERY, asked).fetchall()
    holders: dict[tuple[Any, ...], Any] = {}  # alias → digest: the last one to claim it
    for _, where, name, _, _, digest, aliases, *_ in rows:
        for alias in (*json_out(aliases), "latest"):
            holders[where, name, alias] = digest
    held: dict[tuple[Any, ...], list[str]] = {}
    for (where, name, alias), digest in holders.items():
        held.setdefault((where, name, digest), []).append(alias)
    return [_info(row, sorted(held.get((row[1], row[2], row[5]), []))) for row in rows]


def _info(row: tuple[Any, ...], aliases: list[str]) -> ArtifactInfo:
    run, where, name, kind, version, digest, _, metadata, files, time, description, model = row
    refs = files_out(files)
    return ArtifactInfo(
        name=text_out(name),
        type=text_out(kind),
        version=version,
        digest=text_out(digest),
        aliases=aliases,
        metadata=json_out(metadata),
        files=refs,
        size=sum(ref.size for ref in refs),
        time=time,
        run=text_out(run),
        experiment=text_out(where),
        description=text_out(description or ""),
        model=json_out(model) if model else None,
    )


def artifacts(
    experiment: str | None = None,
    *,
    name: str | None = None,
    type: str | None = None,
    dir: str | Path | None = None,
) -> list[ArtifactInfo]:
    """Artifacts and models of an experiment, or of all, in the order in which they were logged.

    Args:
        experiment: only of this one.
        name: only of this name.
        type: only of this type; models have the type ``model``.
        dir: runcast's folder, where it is not the configured one.
    """
    with opened(home(dir)) as connection:
        every = [] if connection is None else versions(connection, experiment=experiment)
    return [i for i in every if name in (None, i.name) and type in (None, i.type)]


def find(wanted: str, experiment: str, *, type: str | None = None, dir: str | Path | None = None) -> Found:
    """The version that ``[experiment/]name[:alias | :v3 | @digest]`` means now; ``latest`` where only named.

    Args:
        wanted: the name; of a digest, 6 digits are enough where no other version begins so.
        experiment: where to look, where the name does not say.
        type: refuse anything else.
        dir: runcast's folder, where it is not the configured one.

    Raises:
        UsageError: there is none, or it is of another type; the message names what is there.
    """
    folder = home(dir)
    with opened(folder) as connection:
        if connection is None:
            raise UsageError(f"no artifact {wanted!r}: nothing was logged in {folder} yet")
        refresh(connection, folder)
        where, name, selector = _read(connection, wanted, experiment)
        every = [i for i in versions(connection, experiment=where) if i.name == name]
    found = _select(every, name, selector, where)
    if type is not None and found.info.type != type:
        raise UsageError(f"artifact {wanted!r} is of type {found.info.type!r}, not {type!r}")
    return found


def only_experiment(wanted: str, dir: str | Path | None = None, *, prefer: str = "") -> str:
    """The experiment that has an artifact of this name: `prefer`, or the only one; ``""`` where none has.

    Raises:
        UsageError: several have one.
    """
    with opened(home(dir)) as connection:
        if connection is None:
            return ""
        known = _known(connection)
    for cut in _cuts(wanted):
        if wanted[:cut] in known.get(prefer, ()):
            return prefer
        having = sorted(where for where, names in known.items() if wanted[:cut] in names)
        if len(having) > 1:
            raise UsageError(
                f"{len(having)} experiments have {wanted[:cut]!r}: write one of "
                + ", ".join(f"'{where}/{wanted}'" for where in having[:5])
            )
        if having:
            return having[0]
    return ""


def logged_by(run: str, dir: str | Path | None = None) -> list[ArtifactInfo]:
    """What a run has logged so far, in order."""
    folder = home(dir)
    with opened(folder) as connection:
        if connection is None:
            return []
        refresh(connection, folder)
        return [info for info in versions(connection, run=run) if info.run == run]


def _known(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Experiment → names of its artifacts."""
    known: dict[str, set[str]] = {}
    query = "SELECT DISTINCT r.experiment, a.name FROM artifacts a JOIN runs r ON r.n = a.run"
    for where, name in connection.execute(query):
        known.setdefault(text_out(where), set()).add(text_out(name))
    return known


def _cuts(wanted: str) -> list[int]:
    """Where the name may end, the longest first."""
    return [len(wanted), *(i for i in range(len(wanted) - 1, -1, -1) if wanted[i] in ":@")]


def _read(connection: sqlite3.Connection, wanted: str, experiment: str) -> tuple[str, str, str]:
    """Experiment, name, and what follows; the longest name that there is wins, so ``a:b`` may be one."""
    known = _known(connection)
    for cut in _cuts(wanted):
        head, selector = wanted[:cut], wanted[cut:]
        if head in known.get(experiment, ()):
            return experiment, head, selector
        where, slash, name = head.rpartition("/")
        if slash and name in known.get(where, ()):
            return where, name, selector
    here = sorted(known.get(experiment, ()))
    near = difflib.get_close_matches(re.split("[:@]", wanted)[0], here, n=3, cutoff=0.5) or here[:5]
    hint = f"; there are {', '.join(near)}" if near else ""
    raise UsageError(
        f"no artifact {wanted!r} in experiment {experiment!r}{hint}; one of another experiment is "
        "asked for as 'experiment/name:alias'"
    )


def _select(every: list[ArtifactInfo], name: str, selector: str, where: str) -> Found:
    mark, word = selector[:1], selector[1:]
    if mark == "@":
        digest = word.removeprefix("sha256:").lower()
        fit = [i for i in every if _DIGEST.fullmatch(digest) and i.digest.startswith(digest)]
        if len({i.digest for i in fit}) == 1:
            return Found(fit[-1], None)
        problem = f"{len(fit)} versions begin with" if fit else "no version has the digest"
        raise UsageError(f"artifact {name!r}: {problem} {word[:64]!r}; {_there(every)}")
    alias = word or "latest"
    fit = [i for i in every if alias in i.aliases]
    if fit:
        return Found(fit[-1], alias)
    if number := _VERSION.fullmatch(alias):
        fit = [i for i in every if i.version == int(number[1])]
        if fit:
            return Found(fit[-1], None)
    raise UsageError(f"artifact {name!r} of experiment {where!r} has no version {alias!r}; {_there(every)}")


def _there(every: list[ArtifactInfo]) -> str:
    named = {i.version: ", ".join([f"v{i.version}", *i.aliases]) for i in every}
    return "there are " + "; ".join(named[number] for number in sorted(named)[-8:])

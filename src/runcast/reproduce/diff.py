"""What differs between two runs: params, code, environment, data, metrics."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from runcast.catalog.compare import Comparison, compare
from runcast.reproduce import surroundings
from runcast.reproduce.past import Past, read
from runcast.reproduce.surroundings import Packages, Row
from runcast.reproduce.worktree import git

MOST_LINES = 5000
"""Lines of a difference of patches that are kept."""


@dataclass(frozen=True)
class Difference:
    """Two runs; `diff` makes one.

    Attributes:
        one, other: the runs as their journals tell them.
        comparison: params, and metrics with their curves, as ``runcast compare`` has them.
        code: commit, branch, remote, command.
        files: of the repository, that differ between the commits: ``M train.py``; empty where git or the
            repository cannot tell.
        patch: what differs between the two patches of uncommitted changes, as a unified difference.
        packages, machine, seeds: of the environment.
        data: digests of inputs.
    """

    one: Past
    other: Past
    comparison: Comparison
    code: list[Row]
    files: list[str]
    patch: list[str]
    packages: Packages
    machine: list[Row]
    seeds: Row
    data: list[Row]

    @property
    def labels(self) -> tuple[str, str]:
        """What the two are called."""
        names = self.comparison.labels()
        return names[self.one.id], names.get(self.other.id, self.other.id)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the curves."""
        return {
            "runs": [self.one.id, self.other.id],
            "params": _plain([row for row in surroundings.params(self.one, self.other) if row.differs]),
            "code": {"facts": _plain(self.code), "files": self.files, "patch": self.patch},
            "environment": {
                "packages": msgspec.to_builtins(self.packages),
                "machine": _plain(self.machine),
                "seeds": msgspec.structs.asdict(self.seeds),
            },
            "data": _plain(self.data),
            "metrics": self.comparison.to_dict()["metrics"],
        }

    def html(self) -> str:
        """One page that needs nothing else, with the curves."""
        from runcast.reproduce.page import render

        return render(self)


def diff(one: str, other: str, *, dir: str | Path | None = None) -> Difference:
    """Compare two runs in everything that was recorded.

    Args:
        one, other: what `runcast.catalog.run` takes.
        dir: runcast's folder, where it is not the configured one.

    Raises:
        UsageError: there is no such run, or both are the same, or a journal is gone.
    """
    comparison = compare([one, other], dir=dir)
    infos = comparison.runs if len(comparison.runs) == 2 else comparison.runs * 2
    a, b = (read(Path(info.home), info.id) for info in infos)
    return Difference(
        one=a,
        other=b,
        comparison=comparison,
        code=surroundings.code(a, b),
        files=_files(a, b),
        patch=_patches(a, b),
        packages=surroundings.packages(a, b),
        machine=surroundings.machine(a, b),
        seeds=surroundings.seeds(a, b),
        data=surroundings.data(a, b),
    )


def _files(one: Past, other: Past) -> list[str]:
    commits = [str(run.part("git").get("commit", "")) for run in (one, other)]
    if not all(commits) or commits[0] == commits[1]:
        return []
    for run in (other, one):
        root = run.part("git").get("root")
        done = git(Path(str(root)), "diff", "--name-status", "--no-renames", *commits, "--") if root else None
        if done is not None and not done.returncode:
            return [line.replace("\t", " ", 1) for line in done.stdout.splitlines()][:MOST_LINES]
    return []


def _patches(one: Past, other: Past) -> list[str]:
    old, new = ((run.content("diff.patch") or b"").decode("utf-8", "replace") for run in (one, other))
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), one.id, other.id, lineterm="", n=2)
    return [line for line, _ in zip(lines, range(MOST_LINES), strict=False)]


def _plain(rows: list[Row]) -> list[dict[str, Any]]:
    return [{**msgspec.structs.asdict(row), "differs": row.differs} for row in rows]

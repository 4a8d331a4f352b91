"""What differs between the surroundings of two runs: packages, interpreter, machine, code, data."""

from __future__ import annotations

from typing import Any

import msgspec

from runcast.reproduce.packages import normal
from runcast.reproduce.past import Past


class Row(msgspec.Struct, frozen=True):
    """One fact of two runs; None where it was not recorded."""

    key: str
    one: Any
    other: Any

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return bool(self.one != self.other)


class Packages(msgspec.Struct, frozen=True):
    """Name → version of what the other run has beyond the one, or lacks; and both versions of the rest.

    Attributes:
        known: False where either run did not record its packages, so that the rest is empty.
    """

    added: dict[str, str] = {}
    removed: dict[str, str] = {}
    changed: dict[str, tuple[str, str]] = {}
    known: bool = True


def packages(one: Past, other: Past) -> Packages:
    """Compare what was installed."""
    a, b = ({normal(k): str(v) for k, v in run.part("packages").items()} for run in (one, other))
    if not a or not b:
        return Packages(known=False)
    return Packages(
        added={name: b[name] for name in sorted(b.keys() - a.keys())},
        removed={name: a[name] for name in sorted(a.keys() - b.keys())},
        changed={name: (a[name], b[name]) for name in sorted(a.keys() & b.keys()) if a[name] != b[name]},
    )


def machine(one: Past, other: Past) -> list[Row]:
    """Interpreter, operating system, processor, memory, devices."""
    rows = [
        ("python", "python", "version"),
        ("implementation", "python", "implementation"),
        ("system", "os", "distribution"),
        ("kernel", "os", "release"),
        ("processor", "cpu", "model"),
        ("threads", "cpu", "usable_threads"),
        ("memory", "memory", "total_bytes"),
        ("driver", "cuda", "driver"),
        ("cuda", "cuda", "version"),
    ]
    found = [Row(key, one.part(table).get(name), other.part(table).get(name)) for key, table, name in rows]
    found.append(Row("gpus", gpus(one), gpus(other)))
    found.append(Row("host", one.values.get("host"), other.values.get("host")))
    return [row for row in found if row.one is not None or row.other is not None]


def gpus(run: Past) -> list[str] | None:
    """Names of a run's devices; None where nobody looked."""
    found = run.values.get("gpus")
    if not isinstance(found, list):
        return None
    return [str(gpu.get("name", "?")) for gpu in found if isinstance(gpu, dict)]


def seeds(one: Past, other: Past) -> Row:
    """The seeds that were recorded."""
    return Row("seeds", one.seeds, other.seeds)


def code(one: Past, other: Past) -> list[Row]:
    """Commit, branch, remote, command; whether there were changes that were not committed."""
    rows = [Row(name, one.part("git").get(name), other.part("git").get(name)) for name in _GIT]
    rows.append(Row("command", one.part("command").get("line"), other.part("command").get("line")))
    return [row for row in rows if row.one is not None or row.other is not None]


_GIT = ("commit", "branch", "remote", "dirty")


def data(one: Past, other: Past) -> list[Row]:
    """Digest of each input, by its name and context; a source or version where there is no digest."""
    a, b = _inputs(one), _inputs(other)
    return [Row(key, a.get(key), b.get(key)) for key in {**a, **b}]


def _inputs(run: Past) -> dict[str, str]:
    return {
        f"{one.name} ({one.context})" if one.context else one.name: one.digest
        or one.version
        or one.source
        or "?"
        for one in run.inputs
    }


def params(one: Past, other: Past) -> list[Row]:
    """Every param of either run."""
    return [
        Row(key, one.params.get(key), other.params.get(key)) for key in sorted({**one.params, **other.params})
    ]

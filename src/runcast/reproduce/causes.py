"""Why a run did not come out the same: what differs, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runcast.catalog.texts import value
from runcast.reproduce import surroundings
from runcast.reproduce.data import Checked
from runcast.reproduce.past import Past

_NUMERIC = (
    "numpy", "torch", "tensorflow", "jax", "jaxlib", "scipy", "scikit-learn", "pandas", "polars", "xgboost",
    "lightgbm", "catboost", "torchvision", "torchaudio", "transformers", "cupy", "triton", "keras",
)  # fmt: skip
"""Packages that are named first, because numbers come from them."""
_SHOWN = 6


def causes(then: Past, now: Past, data: Sequence[Checked]) -> list[str]:
    """One sentence for each difference that was recorded, the likeliest cause first; never empty."""
    found = [
        *_params(then, now),
        *_seeds(then, now),
        *_data(then, now, data),
        *_code(then, now),
        *_devices(then, now),
        *_packages(then, now),
        *_machine(then, now),
        *_chance(now),
    ]
    return found or [
        "nothing that was recorded differs: generators without a seed, the order in which threads add up, "
        "the time of day, the network, or environment variables are left"
    ]


def _params(then: Past, now: Past) -> Iterator[str]:
    rows = [row for row in surroundings.params(then, now) if row.differs]
    if rows:
        texts = [f"{row.key}: {_text(row.one)} → {_text(row.other)}" for row in rows[:_SHOWN]]
        yield f"other params: {_list(texts, len(rows))}"


def _seeds(then: Past, now: Past) -> Iterator[str]:
    if then.seeds != now.seeds:
        yield f"another seed: {_text(then.seeds)} → {_text(now.seeds)}"
    elif not then.seeds:
        yield "no seed: the script does not call runcast.seed_everything, so chance is left to itself"


def _data(then: Past, now: Past, data: Sequence[Checked]) -> Iterator[str]:
    changed = {one.name: one.detail for one in data if one.state == "changed"}
    for row in surroundings.data(then, now):
        name = row.key.partition(" (")[0]
        if row.differs and name not in changed:
            changed[name] = f"{_text(row.one)[:12]} → {_text(row.other)[:12]}"
    for name, detail in changed.items():
        yield f"changed data: {name} ({detail})"


def _code(then: Past, now: Past) -> Iterator[str]:
    about = then.part("git")
    if why := about.get("diff"):
        yield f"other code: of the patch, {why}"
    root = Path(str(about.get("root", "")))
    own = {then.home, *then.home.parents}  # runcast's own folder is no code
    names = [str(name) for name in about.get("untracked", []) if root / str(name) not in own]
    if names:
        yield f"files that git did not know, which are not recorded: {_list(names[:_SHOWN], len(names))}"
    if about and "dirty" not in about:
        yield "perhaps other code: the run was over before its changes could be recorded"
    if about.get("commit") != now.part("git").get("commit"):
        yield f"another commit: {_text(about.get('commit'))} → {_text(now.part('git').get('commit'))}"


def _devices(then: Past, now: Past) -> Iterator[str]:
    old, new = surroundings.gpus(then), surroundings.gpus(now)
    if old is not None and new is not None and old != new:
        yield f"another GPU: {', '.join(old) or 'none'} → {', '.join(new) or 'none'}"


def _packages(then: Past, now: Past) -> Iterator[str]:
    found = surroundings.packages(then, now)
    if not found.known:
        yield "perhaps other packages: they were not recorded"
    if found.removed:
        names = [f"{name} {found.removed[name]}" for name in _ranked(found.removed)]
        yield f"missing packages: {_list(names[:_SHOWN], len(names))}"
    if found.changed:
        names = ["{} {} → {}".format(name, *found.changed[name]) for name in _ranked(found.changed)]
        yield f"other versions: {_list(names[:_SHOWN], len(names))}"


def _machine(then: Past, now: Past) -> Iterator[str]:
    names = {"python": "another Python", "processor": "another processor", "threads": "another thread count"}
    names |= {"driver": "another GPU driver", "cuda": "another CUDA"}
    for row in surroundings.machine(then, now):
        if row.key in names and row.differs and row.one is not None and row.other is not None:
            yield f"{names[row.key]}: {_text(row.one)} → {_text(row.other)}"


def _chance(now: Past) -> Iterator[str]:
    for left in now.part("seeds").get("left_to_chance", []):
        yield f"left to chance: {left}"


def _ranked(names: dict[str, Any]) -> list[str]:
    return sorted(names, key=lambda name: (_NUMERIC.index(name) if name in _NUMERIC else len(_NUMERIC), name))


def _list(texts: Sequence[str], total: int) -> str:
    return ", ".join(texts) + (f" and {total - len(texts)} more" if total > len(texts) else "")


def _text(anything: Any) -> str:
    return "none" if anything in (None, []) else value(anything)

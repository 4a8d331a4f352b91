"""Models: saved by flavor, described, and loaded again. ``docs/models.md`` has the form of each.

No library is imported before a model of it is saved or loaded.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from runcast.artifacts import collect
from runcast.errors import UsageError
from runcast.journal import Blobs, make_private
from runcast.models import examples, requirements, signatures
from runcast.models.find import load_model
from runcast.models.flavors import FLAVORS, Flavor, class_of, flavor_of
from runcast.models.writing import Written, write
from runcast.records import FileRef

__all__ = ["FLAVORS", "Flavor", "Saved", "load_model", "save"]


class Saved(NamedTuple):
    """A model in the store, and what its record says; see `runcast.records.Model`.

    Attributes:
        problems: what is kept in a lesser form, and why.
    """

    flavor: str
    files: list[FileRef]
    signature: dict[str, Any] | None
    example: Any
    requirements: list[str]
    data: dict[str, Any]
    problems: list[str]


def save(
    model: Any,
    blobs: Blobs,
    *,
    flavor: str | None = None,
    signature: Any = None,
    example: Any = None,
    needs: Iterable[str] | str | None = None,
) -> Saved:
    """Serialize a model into the store.

    Args:
        model: anything of `FLAVORS`, a function, or an object with ``predict``.
        blobs: the store.
        flavor: where it is not to be told from the model's class.
        signature: see `runcast.models.signatures.given`; inferred from `example` where left out.
        example: an input, see `runcast.models.schema`; of a torch module with several inputs a tuple.
        needs: lines for ``pip install``; the packages behind the model where left out.

    Raises:
        UsageError: it cannot be saved; the message says why and what to do.
        OSError: the disk refuses.
    """
    chosen = flavor_of(model, flavor)
    make_private(blobs.root)
    # Beside the blobs, so that large files are linked there and not copied.
    folder = Path(tempfile.mkdtemp(dir=blobs.root, prefix=".model-"))
    try:
        written = write(model, chosen, folder, example)
        files, problems = collect(folder, blobs, immutable=True)
        packages = _packages(model, written, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    problems += written.problems
    found = requirements.versions(packages)
    described = _signature(model, chosen, signature, example, problems)
    return Saved(
        flavor=chosen,
        files=files,
        signature=described,
        example=_example(example, problems),
        requirements=_lines(needs, found),
        data={**written.data, "class": class_of(model), "versions": found},
        problems=problems,
    )


def _packages(model: Any, written: Written, folder: Path) -> set[str]:
    named = {*written.packages, *requirements.distribution_of(model)}
    if written.data["format"] == "cloudpickle":
        named |= requirements.behind(folder / written.data["file"])
    return named


def _lines(needs: Iterable[str] | str | None, found: dict[str, str]) -> list[str]:
    if needs is None:
        return requirements.lines(found)
    return needs.splitlines() if isinstance(needs, str) else [str(line) for line in needs]


def _signature(
    model: Any, flavor: str, signature: Any, example: Any, problems: list[str]
) -> dict[str, Any] | None:
    try:
        if signature is not None:
            return signatures.given(signature)
        if example is None:
            return None
        described = signatures.inferred(example)
    except UsageError as error:
        problems.append(f"it has no signature: {error}")
        return None
    try:
        described["outputs"] = examples.outputs(model, flavor, example)
    except UsageError as error:
        problems.append(f"its signature has no outputs: {error}")
    return described


def _example(example: Any, problems: list[str]) -> dict[str, Any] | None:
    try:
        return examples.example_json(example)
    except Exception as error:  # data of a class that nobody knows
        problems.append(f"its example cannot be kept: {type(error).__name__}: {error}")
        return None

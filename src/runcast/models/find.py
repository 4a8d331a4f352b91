"""A model by name, from a run, or from a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcast.errors import UsageError
from runcast.models.loading import load

if TYPE_CHECKING:
    from runcast.artifacts import StoredArtifact
    from runcast.run import Run


def load_model(
    wanted: str | os.PathLike[str] | Run | StoredArtifact,
    *,
    trust: bool = False,
    into: Any = None,
    dir: str | os.PathLike[str] | None = None,
) -> Any:
    """Load a model that some run logged.

    Args:
        wanted: ``name``, ``name:alias``, ``name:v3``, ``name@digest``, each with ``experiment/`` before it
            where more than one has such a model; a folder or file that `Run.log_model` wrote; a run: the
            last model it logged; or what `Run.use_artifact` gave. While a run goes on, it is noted that it
            used the model.
        trust: run whatever code the files bring; see `runcast.models.loading` for what needs it. At a
            terminal, the person is asked instead.
        into: a torch module that takes the weights; gives it back. Needs no trust.
        dir: runcast's folder, where it is not the configured one.

    Returns:
        What was logged: an estimator, a booster, a function, ...; of a module that was logged with
        ``flavor="pytorch"`` the module; of a state dict a dict of tensors; of ONNX an ``onnx.ModelProto``.

    Raises:
        UsageError: there is none; it would run code; a package is missing.
        JournalError: its files are gone or damaged.
    """
    from runcast.artifacts import StoredArtifact
    from runcast.run import Run

    if isinstance(wanted, Run):
        wanted = _last_of(wanted)
    elif not isinstance(wanted, StoredArtifact):
        path = Path(wanted)
        if path.exists() or isinstance(wanted, os.PathLike):
            return load(path, {}, trust=trust, into=into)
        wanted = _named(str(wanted), dir)
    data = (wanted.model or {}).get("data", {})
    what = f"model {wanted.name}:{wanted.version}"
    return load(wanted.path, data, trust=trust, into=into, what=what)


def _named(wanted: str, dir: str | os.PathLike[str] | None) -> StoredArtifact:
    """The model of this name, in the experiment of the run that goes on, else in the only one that has it."""
    from runcast.artifacts.find import find
    from runcast.catalog import versions
    from runcast.catalog.index import home
    from runcast.journal import Layout
    from runcast.starting import current_run

    run = current_run() if dir is None else None
    layout = run._layout() if run is not None else Layout(home(None if dir is None else Path(dir)))
    here = run.experiment if run is not None else ""
    where = versions.only_experiment(wanted, layout.root, prefer=here) or here
    if run is not None:
        return run.use_artifact(wanted if where == here else f"{where}/{wanted}", type="model")
    return find(wanted, where, layout, type="model")


def _last_of(run: Run) -> StoredArtifact:
    from runcast.artifacts import StoredArtifact
    from runcast.catalog import versions

    layout = run._layout()
    mine = [info for info in versions.logged_by(run.id, layout.root) if info.model is not None]
    if not mine:
        raise UsageError(f"run {run.id} has logged no model")
    return StoredArtifact(mine[-1], layout)

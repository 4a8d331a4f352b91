"""From a candidate to a committed artifact, found again where an attempt, or the run itself, left one."""

from __future__ import annotations

from typing import Any

from runcast.backends.wandb import spelling
from runcast.backends.wandb.options import WandbOptions
from runcast.plugins.registry import Candidate
from runcast.registries.wandb import client

_PROJECT = "runcast-registry"
_TYPE = "model"
_JOB = "register"
_CARRIER = "runcast-"


def uploaded(
    api: Any, options: WandbOptions, entity: str, candidate: Candidate, metadata: dict[str, Any]
) -> Any:
    """The artifact that holds the candidate's files.

    Args:
        api: a ``wandb.Api``.
        options: of the backend.
        entity: who owns the project.
        candidate: what is to be registered.
        metadata: of a new artifact: there from the first moment, so that of two processes that register the
            same at once neither writes over what the other has written since.
    """
    draft = _draft(candidate, metadata)
    project = options.project or spelling.project(candidate.experiment or _PROJECT)
    if (ref := candidate.refs.get("wandb")) and (
        own := _logged(api, f"{entity}/{project}/{ref}", draft.digest)
    ):
        return own
    import wandb

    # W&B takes files of equal content under one name for one version, so each candidate has a name of its own
    # and a run of its own: an attempt that was cut short goes on in them.
    with wandb.init(
        entity=entity or None,
        project=project,
        id=carrier(candidate.identity),
        name=f"register {candidate.name}",
        job_type=_JOB,
        resume="allow",
        reinit="create_new",
        settings=client.settings(options),
    ) as run:
        return run.log_artifact(draft).wait(timeout=int(options.upload_timeout))


def carrier(identity: str) -> str:
    """W&B's id of the run that carries a version which no run of the user's has logged."""
    return f"{_CARRIER}{identity[:16]}"


def is_carrier(run: Any) -> bool:
    """Whether a run at a server is one of those."""
    return str(run.id).startswith(_CARRIER) and run.jobType == _JOB


def _draft(candidate: Candidate, metadata: dict[str, Any]) -> Any:
    import wandb

    draft = wandb.Artifact(f"{candidate.name}.{candidate.identity[:12]}", type=_TYPE, metadata=metadata)
    for path, file in sorted(candidate.files.items()):
        draft.add_file(str(file), name=path, policy="immutable")
    return draft


def _logged(api: Any, path: str, digest: str) -> Any | None:
    """The artifact of this content that the run itself has logged, if it came to this server."""
    import wandb

    try:
        logged = list(api.run(path).logged_artifacts())
    except (wandb.errors.CommError, ValueError):
        return None
    return next((found for found in logged if found.type == _TYPE and found.digest == digest), None)

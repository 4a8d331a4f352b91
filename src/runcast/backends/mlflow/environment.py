"""What the run ran in: MLflow's own tags for the source, and files under ``runcast/environment/``.

``runcast/environment/environment.json`` holds every value (floats packed as in records), later ones in place
of earlier ones; ``requirements.txt``, ``diff.patch`` and other files stand beside it.
"""

from __future__ import annotations

import json
from typing import Any

from runcast.backends.mlflow import names
from runcast.backends.mlflow.files import Files
from runcast.backends.mlflow.plan import Plan, printable
from runcast.backends.mlflow.residual import line
from runcast.codec import pack
from runcast.records import Environment

FOLDER = "runcast/environment"
_INDEX = f"{FOLDER}/environment.json"


def upload(files: Files, plan: Plan, record: Environment) -> None:
    """Set the tags and put the files.

    Raises:
        Reject: a file's content is missing.
    """
    sources = [
        (file, files.content("environment", file), f"{FOLDER}/{names.artifact_path(file.path)}")
        for file in record.files
    ]
    for _, source, place in sources:
        files.put(place, source)
    merged = {**json.loads(files.read_index(_INDEX) or b"{}"), **pack(record.values)}
    files.write_index(_INDEX, json.dumps(merged, ensure_ascii=True, indent=1).encode())
    plan.tags.update(tags(record.values))
    refs = [
        {"path": file.path, "as": place, "sha256": file.sha256, "size": file.size}
        for file, _, place in sources
    ]
    plan.lines.append(line(kind="environment", time=record.time, values=record.values, files=refs))


def tags(values: dict[str, Any]) -> dict[str, str]:
    """MLflow's own tags for what it has tags for."""
    git = values.get("git")
    git = git if isinstance(git, dict) else {}
    found = {
        "mlflow.source.git.commit": git.get("commit"),
        "mlflow.source.git.branch": git.get("branch"),
        "mlflow.source.git.repoURL": git.get("remote"),
        "mlflow.source.name": _script(values.get("command")),
    }
    known = {name: printable(str(value))[: names.TAG_LIMIT] for name, value in found.items() if value}
    if "mlflow.source.name" in known:
        known["mlflow.source.type"] = "LOCAL"
    return known


def _script(command: Any) -> str | None:
    """The script that was started, as MLflow's own client names the source; else the command line."""
    if isinstance(command, dict):
        return str(command.get("script") or command.get("line") or "")
    return str(command) if command else None

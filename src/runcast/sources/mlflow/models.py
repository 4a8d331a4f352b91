"""Logged models as records: all of their files, and what ``MLmodel`` says of them."""

from __future__ import annotations

import json
from typing import Any

from runcast.codec import pack
from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.records import Input, Model
from runcast.sources.mlflow.files import Files
from runcast.sources.mlflow.said import digest
from runcast.sources.mlflow.stored import LoggedModel

_MADE = ("mlflow.modelVersions",)
"""Tags that speak of the place where the model is."""
_MAIN = {
    "sklearn": "pickled_model",
    "xgboost": "data",
    "onnx": "data",
    "pytorch": "model_data",
}
"""Flavor → the setting in ``MLmodel`` that names its file or folder."""


def record(model: LoggedModel, files: Files, blobs: Blobs) -> Model:
    """A model that MLflow's own client logged.

    Raises:
        OSError, SourceError: a file is gone.
    """
    paths = files.paths()
    about = _about(files) if "MLmodel" in paths else {}
    flavors = about.get("flavors") or {}
    flavor = next((name for name in _MAIN if name in flavors), "pyfunc")
    kept = [files.keep(path, path, blobs) for path in paths]
    main = str((flavors.get(flavor) or flavors.get("python_function") or {}).get(_MAIN.get(flavor, "")) or "")
    file = next((path for path in paths if path == main or path.startswith(f"{main}/model.")), None)
    requirements = files.read("requirements.txt").decode() if "requirements.txt" in paths else ""
    metadata: dict[str, Any] = dict(about.get("metadata") or {})
    return Model(
        time=model.created * 1_000_000, name=model.name, flavor=flavor, files=kept, step=model.step,
        digest=digest([(ref.path, ref.sha256) for ref in kept]), signature=_signature(about.get("signature")),
        requirements=requirements.splitlines(), metadata=metadata, data={"file": file} if file else {},
        origin=origin(model),
    )  # fmt: skip


def origin(model: LoggedModel) -> dict[str, Any]:
    """What MLflow knows of a model that has no place in a record."""
    tags = {name: text for name, text in model.tags.items() if name not in _MADE}
    known = {"params": model.params, "tags": tags, "type": model.type, "metrics": pack(model.metrics)}
    extra = {name: value for name, value in known.items() if value}
    return {"tracker": "mlflow", "id": model.id, **({"extra": extra} if extra else {})}


def used(model: LoggedModel, files: Files, blobs: Blobs, time: int) -> Input:
    """A model as what a run used: with its files, by which any tracker finds it again.

    Raises:
        OSError, SourceError: a file is gone.
    """
    kept = [files.keep(path, path, blobs) for path in files.paths()]
    return Input(
        time=time, name=model.name, type="model", digest=digest([(ref.path, ref.sha256) for ref in kept]),
        run=model.run or None, files=kept, origin=origin(model),
    )  # fmt: skip


def _about(files: Files) -> dict[str, Any]:
    import msgspec.yaml

    try:
        about = msgspec.yaml.decode(files.read("MLmodel"))
    except ValueError as error:  # msgspec's errors are ValueErrors, too
        raise SourceError(f"MLmodel is damaged ({error})") from None
    return about if isinstance(about, dict) else {}


def _signature(said: Any) -> dict[str, Any] | None:
    if not isinstance(said, dict):
        return None
    sides = {side: said.get(side) for side in ("inputs", "outputs", "params")}
    return {side: json.loads(text) for side, text in sides.items() if isinstance(text, str)} or None

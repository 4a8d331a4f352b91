"""The files that make a folder a model of MLflow: ``MLmodel`` and what stands beside it.

Written from the record alone, with MLflow's public ``mlflow.models.Model``: nothing is unpickled and no
framework is imported. What each flavor's loader expects was read off MLflow 3.17.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from runcast.backends.mlflow.files import Content
from runcast.codec import pack
from runcast.errors import Reject
from runcast.records import Model

_TORCH_PICKLE = "mlflow.pytorch.pickle_module"
_ENV = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}


@dataclass
class Layout:
    """How MLflow loads a model.

    Attributes:
        flavors: name → settings, for ``MLmodel``.
        places: path of a file in the record → its path in the model's folder, where that differs.
        extra: path → content of small files that the loader wants.
        lesser: why ``mlflow.pyfunc.load_model`` will not work, or ``""``.
    """

    flavors: dict[str, dict[str, Any]]
    places: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Content] = field(default_factory=dict)
    lesser: str = ""


def layout(record: Model) -> Layout:
    """What MLflow must be told of a model's files, by flavor; no flavor at all where it has none."""
    make = _FLAVORS.get(record.flavor)
    if make is None or not record.files:
        return Layout({}, lesser=f"MLflow has no flavor for {record.flavor!r}")
    return make(record, str(record.data.get("file") or record.files[0].path))


def _sklearn(record: Model, file: str) -> Layout:
    own = {
        "pickled_model": file,
        "sklearn_version": _version(record, "scikit-learn"),
        "serialization_format": record.data.get("format", "cloudpickle"),
        "code": None,
        "skops_trusted_types": record.data.get("types"),
    }
    pyfunc = _pyfunc(record, "mlflow.sklearn", model_path=file, predict_fn="predict")
    return Layout({"python_function": pyfunc, "sklearn": own})


def _xgboost(record: Model, file: str) -> Layout:
    own = {
        "xgb_version": _version(record, "xgboost"),
        "data": file,
        "model_class": record.data.get("class"),
        "model_format": record.data.get("format", "ubj"),
        "code": None,
    }
    return Layout({"python_function": _pyfunc(record, "mlflow.xgboost", data=file), "xgboost": own})


def _onnx(record: Model, file: str) -> Layout:
    own = {
        "onnx_version": _version(record, "onnx"),
        "data": file,
        "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
        "onnx_session_options": None,
        "code": None,
    }
    return Layout({"python_function": _pyfunc(record, "mlflow.onnx", data=file), "onnx": own})


def _any_callable(record: Model, file: str) -> Layout:
    version = _version(record, "cloudpickle")
    pyfunc = _pyfunc(
        record, "mlflow.pyfunc.model", python_model=file, cloudpickle_version=version, streamable=False
    )
    return Layout({"python_function": pyfunc})


def _pytorch(record: Model, file: str) -> Layout:
    module = record.data.get("module")
    if not module:
        return Layout({}, lesser="MLflow loads whole PyTorch modules only, and this is a state dict")
    return _torch(record, str(module), "model.pth")


def _torchscript(record: Model, file: str) -> Layout:
    return _torch(record, file, "model.pth")


def _torch_export(record: Model, file: str) -> Layout:
    return _torch(record, file, "model.pt2")


def _torch(record: Model, file: str, name: str) -> Layout:
    own = {"model_data": "data", "pytorch_version": _version(record, "torch"), "code": None}
    pyfunc = _pyfunc(
        record,
        "mlflow.pytorch",
        data="data",
        pickle_module_name=_TORCH_PICKLE,
        config={"device": None},
    )
    # The loader asks this file, not MLmodel, how the module was pickled.
    extra: dict[str, Content] = {"data/pickle_module_info.txt": _TORCH_PICKLE.encode()}
    return Layout({"python_function": pyfunc, "pytorch": own}, {file: f"data/{name}"}, extra)


_FLAVORS: dict[str, Callable[[Model, str], Layout]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "onnx": _onnx,
    "pyfunc": _any_callable,
    "pytorch": _pytorch,
    "torchscript": _torchscript,
    "torch_export": _torch_export,
}


def _pyfunc(record: Model, loader: str, **settings: Any) -> dict[str, Any]:
    return {**settings, "loader_module": loader, "python_version": _python(record), "env": _ENV}


def described(record: Model, made: Layout, *, model_id: str, run_id: str, size: int) -> dict[str, Content]:
    """Path → content of every file that MLflow wants beside the model's own.

    Args:
        record: the model.
        made: its layout.
        model_id, run_id: MLflow's.
        size: bytes of the model's own files.

    Raises:
        Reject: the record's signature is none of MLflow's.
    """
    from mlflow.models import Model as MlflowModel

    files = dict(made.extra)
    info = _add_example(files, record)
    created = datetime.fromtimestamp(record.time / 1e9, timezone.utc).replace(tzinfo=None)
    model = MlflowModel(
        artifact_path=f"models:/{model_id}",
        run_id=run_id,
        utc_time_created=str(created),
        flavors=made.flavors,
        signature=_signature(record),
        saved_input_example_info=info,
        # A second delivery must write the same file.
        model_uuid=model_id.removeprefix("m-"),
        metadata=pack(record.metadata) or None,
        model_size_bytes=size,
        model_id=model_id,
    )
    files["MLmodel"] = model.to_yaml().encode()
    requirements = list(record.requirements)
    lines = "".join(f"{line}\n" for line in requirements)
    files["requirements.txt"] = lines.encode()
    files["python_env.yaml"] = _yaml(
        {
            "python": _python(record),
            "build_dependencies": ["pip", "setuptools", "wheel"],
            "dependencies": ["-r requirements.txt"],
        }
    )
    files["conda.yaml"] = _yaml(
        {
            "name": "mlflow-env",
            "channels": ["conda-forge"],
            "dependencies": [f"python={_python(record)}", "pip", {"pip": requirements}],
        }
    )
    return files


def _signature(record: Model) -> Any:
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature

    if not record.signature:
        return None
    sides = {side: record.signature.get(side) for side in ("inputs", "outputs", "params")}
    given = {side: json.dumps(columns) for side, columns in sides.items() if columns}
    try:
        return ModelSignature.from_dict(given)
    except (MlflowException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Reject(f"model {record.name!r}: its signature is none of MLflow's ({error})") from None


def _add_example(files: dict[str, Content], record: Model) -> dict[str, Any] | None:
    """Add the example in MLflow's two forms to `files`; returns what ``MLmodel`` says of it."""
    if not isinstance(record.example, dict) or len(record.example) != 1:
        return None
    ((kind, value),) = record.example.items()
    info = {"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json"}
    if kind == "dataframe":
        info |= {"type": "dataframe", "pandas_orient": "split"}
        served: dict[str, Any] = {"dataframe_split": value}
    else:
        info |= {"type": "json_object" if kind == "json" else "ndarray"}
        served = {"inputs": value}
    # Python's JSON knows NaN, and so does MLflow's reader.
    files["input_example.json"] = json.dumps(value).encode()
    files["serving_input_example.json"] = json.dumps(served, indent=2).encode()
    return info


def _yaml(value: Any) -> bytes:
    import msgspec.yaml  # PyYAML comes with MLflow

    return msgspec.yaml.encode(value)


def _version(record: Model, package: str) -> str | None:
    versions = record.data.get("versions") or {}
    found = versions.get(package)
    return None if found is None else str(found)


def _python(record: Model) -> str:
    import platform

    return _version(record, "python") or platform.python_version()

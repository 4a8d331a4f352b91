"""One function per flavor: a model into files; ``docs/models.md`` has their names and what `data` says."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from runcast.errors import UsageError
from runcast.models.flavors import class_of, is_state_dict
from runcast.session import describe as describe_error


class Written(NamedTuple):
    """What became of a model.

    Attributes:
        data: of the record, without ``class`` and ``versions``.
        packages: distributions that loading needs.
        problems: what is kept in a lesser form, and why.
    """

    data: dict[str, Any]
    packages: list[str]
    problems: list[str]


def write(model: Any, flavor: str, folder: Path, example: Any = None) -> Written:
    """Save a model into an empty folder.

    Raises:
        UsageError: it cannot be saved; the message says why and what to do.
    """
    try:
        return _WRITERS[flavor](model, folder, example)
    except UsageError:
        raise
    except Exception as error:  # a library, or the model's own class
        raise UsageError(
            f"a model of type {class_of(model)} cannot be saved as {flavor}: {describe_error(error)}"
        ) from error


def needed(module: str, package: str = "") -> ModuleType:
    """A library, imported now.

    Raises:
        UsageError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = package or module
        raise UsageError(f"{name} is not installed: pip install {name}") from error


def _sklearn(model: Any, folder: Path, example: Any) -> Written:
    with contextlib.suppress(Exception):  # not installed, or a class that skops cannot hold
        skops = importlib.import_module("skops.io")
        path = folder / "model.skops"
        skops.dump(model, path)
        types = sorted(skops.get_untrusted_types(file=path))
        if not any(name.startswith("__main__.") for name in types):  # nobody else could import these
            data = {"file": "model.skops", "format": "skops", "types": types}
            return Written(data, ["scikit-learn", "numpy", "scipy", "skops"], [])
    (folder / "model.skops").unlink(missing_ok=True)
    _pickle(model, folder / "model.pkl")
    data = {"file": "model.pkl", "format": "cloudpickle"}
    return Written(data, ["scikit-learn", "numpy", "scipy", "cloudpickle"], [])


def _pytorch(model: Any, folder: Path, example: Any) -> Written:
    torch = needed("torch")
    bare = is_state_dict(model)
    state = dict(model if bare else model.state_dict())
    if empty := [name for name, entry in state.items() if str(getattr(entry, "device", "")) == "meta"]:
        raise UsageError(
            f"its weights are on the device 'meta', where they have no values: {empty[0]}, {len(empty)} in "
            "all; give a module that has been computed"
        )
    file, form = _state_dict(torch, state, folder)
    packages = ["torch", *(["safetensors"] if form == "safetensors" else [])]
    data: dict[str, Any] = {"file": file, "format": form}
    if bare:
        return Written(data, packages, [])
    try:
        torch.save(model, folder / "model.pth", pickle_module=needed("cloudpickle"))
    except Exception as error:
        (folder / "model.pth").unlink(missing_ok=True)
        why = (
            f"its weights are kept, but not its code: the module cannot be pickled ({describe_error(error)})"
        )
        return Written(data, packages, [why])
    return Written({**data, "module": "model.pth"}, [*packages, "cloudpickle"], [])


def _state_dict(torch: ModuleType, state: dict[str, Any], folder: Path) -> tuple[str, str]:
    path = folder / "state_dict.safetensors"
    try:
        save = importlib.import_module("safetensors.torch").save_file
        save({name: tensor.contiguous() for name, tensor in state.items()}, path)
    except Exception:  # not installed; tensors that share memory; entries that are no tensors
        path.unlink(missing_ok=True)
        torch.save(state, folder / "state_dict.pt")
        return "state_dict.pt", "torch"
    return path.name, "safetensors"


def _torchscript(model: Any, folder: Path, example: Any) -> Written:
    torch = needed("torch")
    with warnings.catch_warnings():  # that it is old news is known to whoever asks for it
        warnings.simplefilter("ignore")
        if not isinstance(model, torch.jit.ScriptModule):
            if example is None:
                model = torch.jit.script(model)
            else:
                model = torch.jit.trace(model, tensors(torch, example), check_trace=False)
        torch.jit.save(model, str(folder / "model.pt"))
    return Written({"file": "model.pt", "format": "torchscript"}, ["torch"], [])


def _torch_export(model: Any, folder: Path, example: Any) -> Written:
    torch = needed("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not isinstance(model, torch.export.ExportedProgram):
            if example is None:
                raise UsageError("flavor torch_export needs input_example=, to trace the module with")
            inputs = tensors(torch, example)
            open_batch = tuple({0: torch.export.Dim.AUTO} if each.ndim else None for each in inputs)
            model = torch.export.export(model, inputs, dynamic_shapes=open_batch)
        torch.export.save(model, folder / "model.pt2")
    return Written({"file": "model.pt2", "format": "torch_export"}, ["torch"], [])


def tensors(torch: ModuleType, example: Any) -> tuple[Any, ...]:
    """An input example as the positional tensors of a module."""
    every = example if isinstance(example, tuple) else (example,)
    return tuple(each if isinstance(each, torch.Tensor) else torch.tensor(_values(each)) for each in every)


def _values(example: Any) -> Any:
    return example.to_numpy() if hasattr(example, "to_numpy") else example


def _xgboost(model: Any, folder: Path, example: Any) -> Written:
    model.save_model(folder / "model.ubj")
    return Written({"file": "model.ubj", "format": "ubj"}, ["xgboost", "numpy", "scipy"], [])


def _onnx(model: Any, folder: Path, example: Any) -> Written:
    if not isinstance(model, (bytes, bytearray)):
        model = model.SerializeToString()
    (folder / "model.onnx").write_bytes(model)
    return Written({"file": "model.onnx", "format": "onnx"}, ["onnx"], [])


def _pyfunc(model: Any, folder: Path, example: Any) -> Written:
    from runcast.models import adapter

    bases = {(base.__module__.partition(".")[0], base.__name__) for base in type(model).__mro__}
    is_mlflow = ("mlflow", "PythonModel") in bases
    _pickle(model if is_mlflow else adapter.Predictor(model), folder / "python_model.pkl", adapter)
    wraps = "python_model" if is_mlflow else "object" if hasattr(model, "predict") else "function"
    return Written({"file": "python_model.pkl", "format": "cloudpickle", "wraps": wraps}, ["cloudpickle"], [])


def _pickle(model: Any, path: Path, by_value: ModuleType | None = None) -> None:
    cloudpickle = needed("cloudpickle")
    if by_value is not None:
        cloudpickle.register_pickle_by_value(by_value)
    try:
        with path.open("wb") as file:
            cloudpickle.dump(model, file)
    except Exception as error:
        raise UsageError(
            f"a model of type {class_of(model)} cannot be pickled: {describe_error(error)}; leave out what "
            "holds open files, locks or connections, or save it yourself and use "
            "run.log_artifact(path, type='model')"
        ) from error
    finally:
        if by_value is not None:
            cloudpickle.unregister_pickle_by_value(by_value)


_WRITERS: dict[str, Callable[[Any, Path, Any], Written]] = {
    "sklearn": _sklearn,
    "pytorch": _pytorch,
    "torchscript": _torchscript,
    "torch_export": _torch_export,
    "xgboost": _xgboost,
    "onnx": _onnx,
    "pyfunc": _pyfunc,
}

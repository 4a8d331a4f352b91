"""Models back from their files. What runs code while it is read is asked about first.

Safe by form are safetensors, PyTorch's state dicts (read with ``weights_only``), XGBoost's own format, ONNX,
and skops files all of whose types skops trusts. A pickle, a TorchScript archive and an exported program can
run anything: they need ``trust=True``, or a "yes" at a terminal.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runcast.errors import UsageError
from runcast.models.flavors import FLAVORS
from runcast.models.writing import needed

_BY_NAME = {
    "model.skops": ("sklearn", "skops"),
    "model.pkl": ("sklearn", "cloudpickle"),
    "state_dict.safetensors": ("pytorch", "safetensors"),
    "state_dict.pt": ("pytorch", "torch"),
    "model.pth": ("pytorch", "pickle"),
    "model.pt": ("torchscript", "torchscript"),
    "model.pt2": ("torch_export", "torch_export"),
    "model.ubj": ("xgboost", "ubj"),
    "model.json": ("xgboost", "ubj"),
    "model.onnx": ("onnx", "onnx"),
    "python_model.pkl": ("pyfunc", "cloudpickle"),
}


def load(folder: Path, data: dict[str, Any], *, trust: bool, into: Any = None, what: str = "") -> Any:
    """The model in a folder.

    Args:
        folder: has the files.
        data: of the record; ``{}`` where there is none: the file's name then says what it is.
        trust: run whatever code the files bring.
        into: a torch module that takes the weights, which needs no trust.
        what: how to call the model in messages.

    Raises:
        UsageError: it would run code and `trust` is not given; a package is missing; the files are no
            model.
    """
    file, form = _main(folder, data)
    name = what or str(folder)
    if into is not None:
        return _into(into, file, form, name)
    module = folder / "model.pth"
    if form in ("safetensors", "torch") and data.get("module") and module.is_file():
        hint = "or into=<a module> to load the weights alone, which runs nothing"
        _ask(module, trust, name, "is a pickle, which runs code when it is loaded", hint)
        return _guarded(lambda: _torch_pickle(module), name)
    if form in _SAFE:
        return _guarded(lambda: _SAFE[form](file, data), name)
    if form == "skops":
        return _guarded(lambda: _skops(file, trust, name), name)
    if form not in _ASKED:
        raise UsageError(
            f"{name} is saved as {form!r}, which this runcast cannot load: pip install -U runcast"
        )
    why, reader = _ASKED[form]
    _ask(file, trust, name, why)
    return _guarded(lambda: reader(file), name)


def _main(folder: Path, data: dict[str, Any]) -> tuple[Path, str]:
    if folder.is_file():
        names = [folder.name]
        folder = folder.parent
    else:
        names = [str(data["file"])] if data.get("file") else [n for n in _BY_NAME if (folder / n).is_file()]
    if not names or Path(names[0]).name != names[0] or not (folder / names[0]).is_file():
        raise UsageError(f"{folder} has no model that runcast saved: it has none of {', '.join(_BY_NAME)}")
    form = str(data.get("format") or _BY_NAME.get(names[0], ("", ""))[1])
    if not form:
        raise UsageError(f"{folder / names[0]} is no model that runcast saved; flavors: {', '.join(FLAVORS)}")
    return folder / names[0], form


def _ask(file: Path, trust: bool, name: str, why: str, hint: str = "") -> None:
    if trust:
        return
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write(f"runcast: {file} {why}.\nLoad it only if you trust whoever made it. Load? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    other = f", {hint}" if hint else ""
    raise UsageError(
        f"{name}: {file.name} {why}; if you trust whoever made it, pass trust=True{other} (file: {file})"
    )


def _guarded(read: Callable[[], Any], name: str) -> Any:
    try:
        return read()
    except UsageError:
        raise
    except Exception as error:  # libraries raise what they like at damaged files and missing classes
        raise UsageError(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error


def _into(module: Any, file: Path, form: str, name: str) -> Any:
    if form not in ("safetensors", "torch"):
        raise UsageError(f"{name} has no weights to load into a module: it is saved as {form!r}")
    module.load_state_dict(_guarded(lambda: _SAFE[form](file, {}), name))
    return module


def _safetensors(file: Path, data: dict[str, Any]) -> Any:
    return needed("safetensors.torch", "safetensors").load_file(file)


def _state_dict(file: Path, data: dict[str, Any]) -> Any:
    return needed("torch").load(file, map_location="cpu", weights_only=True)


def _xgboost(file: Path, data: dict[str, Any]) -> Any:
    xgboost = needed("xgboost")
    name = str(data.get("class") or "Booster").rpartition(".")[2]
    kind = getattr(xgboost, name, xgboost.Booster)
    model = (kind if isinstance(kind, type) else xgboost.Booster)()
    model.load_model(file)
    return model


def _onnx(file: Path, data: dict[str, Any]) -> Any:
    return needed("onnx").load(file, load_external_data=False)


def _skops(file: Path, trust: bool, name: str) -> Any:
    skops = needed("skops.io", "skops")
    types = skops.get_untrusted_types(file=file)
    if types:
        _ask(file, trust, name, f"has types that skops does not vouch for ({', '.join(sorted(types)[:5])})")
    return skops.load(file, trusted=types)


def _pickled(file: Path) -> Any:
    with file.open("rb") as stream:
        model = pickle.load(stream)  # noqa: S301  # asked before
    return model.model if type(model).__name__ == "Predictor" and hasattr(model, "model") else model


def _torch_pickle(file: Path) -> Any:
    return needed("torch").load(file, map_location="cpu", weights_only=False)


def _torchscript(file: Path) -> Any:
    with warnings.catch_warnings():  # that it is old news is known to whoever has it
        warnings.simplefilter("ignore")
        return needed("torch").jit.load(str(file), map_location="cpu")


def _torch_export(file: Path) -> Any:
    needed("torch")
    return importlib.import_module("torch.export").load(file)


_SAFE: dict[str, Callable[[Path, dict[str, Any]], Any]] = {
    "safetensors": _safetensors,
    "torch": _state_dict,
    "ubj": _xgboost,
    "onnx": _onnx,
}
_CODE = "runs code when it is loaded"
_ASKED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "cloudpickle": (f"is a pickle, which {_CODE}", _pickled),
    "pickle": (f"is a pickle, which {_CODE}", _torch_pickle),
    "torchscript": (f"is a TorchScript program, which {_CODE}", _torchscript),
    "torch_export": (f"is an exported program, which {_CODE}", _torch_export),
}

"""Which flavor a model is, told from its classes: no library is imported to find out."""

from __future__ import annotations

from typing import Any, Literal, get_args

from runcast.errors import UsageError

Flavor = Literal["sklearn", "pytorch", "torchscript", "torch_export", "xgboost", "onnx", "pyfunc"]
FLAVORS: tuple[str, ...] = get_args(Flavor)

# In this order: a classifier of XGBoost is one of scikit-learn too, a scripted module is a module too.
_SIGNS = (
    ("torchscript", "torch.jit", "ScriptModule"),
    ("torchscript", "torch", "ScriptModule"),
    ("torch_export", "torch.export", "ExportedProgram"),
    ("pytorch", "torch.nn", "Module"),
    ("xgboost", "xgboost", "XGBModel"),
    ("xgboost", "xgboost", "Booster"),
    ("onnx", "onnx", "ModelProto"),
    ("pyfunc", "mlflow.pyfunc", "PythonModel"),
    ("sklearn", "sklearn", "BaseEstimator"),
)


def flavor_of(model: Any, wanted: str | None = None) -> Flavor:
    """The flavor to save a model in.

    Args:
        model: the model.
        wanted: what the script asked for, where it did.

    Raises:
        UsageError: an unknown flavor, or an object that can neither be called nor asked to predict.
    """
    if wanted is not None:
        if wanted not in FLAVORS:
            raise UsageError(f"flavor {wanted!r} is unknown; there are {', '.join(FLAVORS)}")
        return wanted  # type: ignore[return-value]  # just looked up
    bases = [(base.__module__, base.__name__) for base in type(model).__mro__]
    for flavor, package, name in _SIGNS:
        if any(n == name and (m == package or m.startswith(package + ".")) for m, n in bases):
            return flavor  # type: ignore[return-value]  # one of the table
    if is_state_dict(model):
        return "pytorch"
    if callable(model) or callable(getattr(model, "predict", None)):
        return "pyfunc"
    raise UsageError(
        f"a model of type {class_of(model)} is of no flavor that runcast knows: give an object with a method "
        "predict, or a function, or save it yourself and use run.log_artifact(path, type='model')"
    )


def is_state_dict(model: Any) -> bool:
    """Whether this is a dict of tensors."""
    return (
        isinstance(model, dict)
        and bool(model)
        and all(
            any((base.__module__, base.__name__) == ("torch", "Tensor") for base in type(value).__mro__)
            for value in model.values()
        )
    )


def class_of(model: Any) -> str:
    """A model's class with its module; of a function its own name."""
    named = model if hasattr(model, "__qualname__") and callable(model) else type(model)
    return f"{getattr(named, '__module__', None) or ''}.{named.__qualname__}".lstrip(".")

"""A backend's options against its pydantic model, with errors for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from runcast.config.environment import PREFIX
from runcast.config.load import unknown
from runcast.entries import stamp
from runcast.errors import ConfigError
from runcast.redact import MASK, redact_text, redact_value

if TYPE_CHECKING:
    from runcast.plugins.backend import Backend


def check(
    name: str, backend: type[Backend], options: dict[str, Any], origins: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    """Validate; returns the values that the model declares secret, and stamps of the source files.

    Raises:
        ConfigError: wrong options, each with its origin and what is allowed.
    """
    try:
        model = backend.Options.model_validate(options)
    except ValidationError as error:
        raise ConfigError("\n".join(_messages(name, backend, error, options, origins))) from None
    except Exception as error:  # a validator of a plugin may raise what it likes
        shown = _mask_given(redact_text(f"{type(error).__name__}: {error}"), options)
        raise ConfigError(f"backend {name!r} cannot check its options: {shown}") from None
    return list(_secret_values(dict(model))), _stamps(backend)


def _messages(
    name: str,
    backend: type[Backend],
    error: ValidationError,
    options: dict[str, Any],
    origins: Mapping[str, str],
) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        option = ".".join(map(str, detail["loc"]))
        first = str(detail["loc"][0]) if detail["loc"] else ""
        origin = origins.get(option) or next(
            (o for key, o in origins.items() if key == first or key.startswith(first + ".")), "argument"
        )
        if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
            legal = [f"{name}.{field}" for field in _field_names(backend.Options)]
            yield str(unknown(f"{name}.{option}", legal, origin, "option"))
        elif detail["type"] == "missing":
            variable = f"{PREFIX}{name.upper().replace('-', '_')}__{option.upper().replace('.', '__')}"
            yield f"`{name}.{option}` is required: set it under [{name}] in runcast.toml, or {variable}"
        elif not option:
            yield f"[{name}]: {_mask_given(redact_text(detail['msg']), options)}"
        else:
            shown = _shown(option, detail["input"], declares_secret(backend.Options, detail["loc"]))
            reason = _mask_given(redact_text(detail["msg"]), {option: detail["input"]})
            yield f"`{name}.{option}` = {shown} ({origin}): {reason}"


def _field_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or key for key, field in model.model_fields.items()]


def declares_secret(model: Any, place: tuple[int | str, ...]) -> bool:
    """Whether the option at `place` is one of pydantic's secret types."""
    for part in place:
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            return False
        model = fields[part].annotation
        if "Secret" in str(model):
            return True
    return False


def _shown(option: str, value: Any, secret: bool) -> str:
    if isinstance(value, Mapping):
        return "{...}"  # names inside may be secrets that only the model knows
    clean = MASK if secret else redact_value(option, value)
    return MASK if clean is MASK else f"{clean!r:.200}"


def _mask_given(message: str, options: Mapping[str, Any]) -> str:
    """A validator's own message may repeat what it was given."""
    for key, value in options.items():
        if isinstance(value, str) and value and redact_value(key, value) is not value:
            message = message.replace(value, MASK)
    return message


def _secret_values(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > 8:
        return
    if callable(reveal := getattr(value, "get_secret_value", None)):
        secret = reveal()
        yield secret if isinstance(secret, str) else str(secret)
    elif isinstance(value, BaseModel):
        yield from _secret_values(dict(value), depth + 1)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secret_values(item, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _secret_values(item, depth + 1)


def _stamps(backend: type[Backend]) -> list[Any]:
    """Stamps of the files that define the class and its options, so that an edit is noticed."""
    modules = {base.__module__ for kind in (backend, backend.Options) for base in kind.__mro__}
    files = {getattr(sys.modules.get(module), "__file__", None) for module in modules}
    return [stamp(str(Path(file))) for file in sorted(file for file in files if file)]

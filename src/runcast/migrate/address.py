"""Addresses such as ``mlflow:sqlite:///mlflow.db``: a scheme, a colon, and what its tracker calls a place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from runcast.codec import to_json
from runcast.config.packages import missing_packages
from runcast.errors import ConfigError, UsageError
from runcast.plugins.backend import Backend
from runcast.plugins.manager import backend_class, source_class
from runcast.plugins.source import Source
from runcast.redact import redact_text


class Destination(NamedTuple):
    """Where runs go.

    Attributes:
        name: the backend's.
        address: as it was given, without credentials.
        options: of the backend, validated.
        backend: its class.
    """

    name: str
    address: str
    options: dict[str, Any]
    backend: type[Backend]


def split(address: str) -> tuple[str, str]:
    """Scheme and rest.

    Raises:
        UsageError: there is no scheme.
    """
    scheme, colon, rest = address.partition(":")
    if not colon or not scheme.isidentifier():
        raise UsageError(
            f"{redact_text(address)!r} is no address: write the tracker, a colon and its place, such as "
            "mlflow:sqlite:///mlflow.db, wandb:entity/project, wandb:./wandb, tensorboard:./runs, local:"
        )
    return scheme, rest


def anchored(address: str) -> str:
    """The address with its relative path made absolute, for a process that runs in another folder."""
    scheme, rest = split(address)
    head, slashes, file = rest.partition(":///")
    if slashes and head.startswith("sqlite"):
        return f"{scheme}:{head}:///{Path(file).absolute()}" if file and file != ":memory:" else address
    path = Path(rest).expanduser()
    is_path = rest.startswith((".", "~")) or (rest and path.exists())
    return f"{scheme}:{path.absolute()}" if is_path else address


def source(address: str) -> Source:
    """The source that an address names; nothing is opened yet.

    Raises:
        UsageError: it is none, or the tracker is not known, or a package is missing.
    """
    scheme, rest = split(address)
    kind = source_class(scheme)
    _require(scheme, kind.requires)
    return kind(rest)


def destination(address: str) -> Destination:
    """The backend and the options that an address names; nothing is opened yet.

    Raises:
        UsageError: it is none, or the tracker is not known, or a package is missing, or an option is wrong.
    """
    scheme, rest = split(address)
    kind = backend_class(scheme)
    _require(scheme, kind.requires)
    options = kind.options_from(rest)
    try:
        kind.Options.model_validate(options)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise ConfigError(f"{redact_text(address)!r}: {problem['msg']}") from None
    return Destination(scheme, redact_text(address), options, kind)


def migration_id(identity: str, scheme: str, where: Destination) -> str:
    """Eight hex digits that the same source and destination always have."""
    parts = [scheme, identity, where.name, to_json(dict(sorted(where.options.items()))).decode()]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def run_id(scheme: str, identity: str, run: str) -> str:
    """Runcast's id of a run of another tracker: 16 hex digits, the same at every migration."""
    text = "\0".join(("runcast", scheme, identity, run))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _require(name: str, requires: Any) -> None:
    if missing := missing_packages(requires):
        packages = " ".join(sorted(f"'{package}'" for package in missing.values()))
        raise ConfigError(f"{name}: {', '.join(sorted(missing))} is not installed: pip install {packages}")

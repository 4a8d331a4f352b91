"""Checks every backend before a run starts, and remembers the verdict.

A mistake must fail at ``start``, with its mend. But checking options takes pydantic and the backend's
module, 200 ms that a training thread should not pay each time. So a verdict that was good is kept in the
user's cache folder under a hash of everything it depends on: the options, the installed plugins, the
backend's source files, the Python environment. Whether the packages are there is looked at every time.
Options that hold a secret are never hashed to disk; they pay the full price.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runcast import cache
from runcast.config.packages import missing_packages
from runcast.config.settings import Config, Settings
from runcast.entries import BUILTIN, Entry, entries, is_unchanged
from runcast.errors import ConfigError
from runcast.redact import MASK, key_pattern, learn_environment, redact_text, redact_tree, redact_value

if TYPE_CHECKING:
    from runcast.plugins.backend import Backend

_MOST_VERDICTS = 64  # remembered per backend

_secrets: set[str] = set()
"""Values of options that a model declares secret, met in this process."""


def preflight(
    backends: Sequence[str | type[Backend]], config: Config, *, environ: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """The options of each backend, validated: JSON-like, as they were given, secrets included.

    Where runcast's layers are silent, the tracker's own variables (`Backend.environment`) are asked.

    Args:
        backends: names; or classes that the script itself brings, which are checked but not remembered.
        config: what `load` gave.
        environ: the environment; ``os.environ`` where left out.

    Raises:
        ConfigError: an unknown backend, a package that is not installed, a wrong option; all of them at once.
    """
    environ = os.environ if environ is None else environ
    names = [backend if isinstance(backend, str) else backend.name for backend in backends]
    resolved: dict[str, dict[str, Any]] = {}
    installed = entries()
    problems = _misspelt_tables(names, config, installed)
    for name, backend in zip(names, backends, strict=True):
        try:
            resolved[name] = _check(name, backend, config, environ, installed)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return resolved


def with_environment(
    name: str, config: Config, environment: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A backend's raw options with the tracker's own variables filled in, and option → origin."""
    options = dict(config.options.get(name, {}))
    origins = {
        key.removeprefix(f"{name}."): origin
        for key, origin in config.origins.items()
        if key.startswith(f"{name}.")
    }
    for option, variable in environment.items():
        value = environ.get(variable, "")
        if option not in options and value:
            options[option] = value
            origins[option] = variable
    return options, origins


def public_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without secrets, fit for a journal or a screen."""
    clean: dict[str, Any] = _without_known_secrets(redact_tree(options)[0])
    return clean


def _without_known_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_known_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_known_secrets(item) for item in value]
    return MASK if isinstance(value, str) and value in _secrets else value


def _check(
    name: str,
    backend: str | type[Backend],
    config: Config,
    environ: Mapping[str, str],
    installed: Sequence[Entry],
) -> dict[str, Any]:
    if not isinstance(backend, str):
        return _check_cold(name, backend, config, environ, None)
    place = _place(name, installed)
    about = cache.get(place)
    if is_unchanged(about.get("stamps")):
        try:
            options, _ = with_environment(name, config, about["environment"], environ)
            digest = _digest(options, config)
            if digest is not None and digest in about["good"]:
                _raise_missing(name, about["requires"])
                return options
        except (KeyError, TypeError, AttributeError):
            pass  # a damaged memory counts as none
    from runcast.plugins.manager import backend_class

    return _check_cold(name, backend_class(name), config, environ, place)


def _check_cold(
    name: str, backend: type[Backend], config: Config, environ: Mapping[str, str], place: str | None
) -> dict[str, Any]:
    from runcast.config.options import check

    options, origins = with_environment(name, config, backend.environment, environ)
    secrets, stamps = check(name, backend, options, origins)
    _secrets.update(secrets)
    for secret in (*secrets, *_masked_texts(options)):
        learn_environment({"secret": secret})  # an SDK may repeat it in an error message
    _raise_missing(name, backend.requires)
    digest = None if secrets or place is None else _digest(options, config)
    if digest is not None and place is not None:
        _remember(place, digest, backend, stamps)
    return options


def _masked_texts(options: dict[str, Any]) -> list[str]:
    return [
        value for key, value in options.items() if isinstance(value, str) and redact_value(key, value) == MASK
    ]


def _raise_missing(name: str, requires: Mapping[str, str]) -> None:
    missing = missing_packages(requires)
    if missing:
        packages = " ".join(f"'{package}'" for package in dict.fromkeys(missing.values()))
        raise ConfigError(
            f"backend {name!r} needs {', '.join(missing)}, not installed: pip install {packages}"
        )


def _place(name: str, installed: Sequence[Entry]) -> str:
    """Where the memory of a backend is kept: another one for every set of plugins and every Python."""
    depends = [name, [list(entry) for entry in installed], sys.executable, sys.prefix, sys.version]
    return f"preflight/{hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:32]}"


def _digest(options: dict[str, Any], config: Config) -> str | None:
    """A hash of the options; None where a secret is among them."""
    _, masked = redact_tree(options, key_pattern(config.settings.redact))
    if masked:
        return None
    try:
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
    except (TypeError, ValueError):
        return None


def _remember(place: str, digest: str, backend: type[Backend], stamps: list[Any]) -> None:
    about = cache.get(place)
    good = about.get("good") if about.get("stamps") == stamps else None
    good = [item for item in good if item != digest] if isinstance(good, list) else []
    cache.put(
        place,
        {
            "stamps": stamps,
            "environment": dict(backend.environment),
            "requires": dict(backend.requires),
            "good": [*good, digest][-_MOST_VERDICTS:],
        },
    )


def _misspelt_tables(names: Sequence[str], config: Config, installed: Sequence[Entry]) -> list[str]:
    """Tables that no backend of this run claims and whose name is one slip away from one that exists.

    Other unclaimed tables belong to backends of another script or machine; ``runcast doctor`` shows them.
    """
    legal = {*names, *BUILTIN, *(entry.name for entry in installed), *Settings.__struct_fields__}
    strangers = [table for table in config.options if table not in legal]
    if not strangers:
        return []
    from difflib import get_close_matches

    out = []
    for table in strangers:
        near = get_close_matches(table, sorted(legal), n=1, cutoff=0.8)
        if near and not _exists(table):
            origin = next(
                (o for key, o in config.origins.items() if key.partition(".")[0] == table), "argument"
            )
            out.append(f"{origin}: there is no backend {redact_text(table)!r}; do you mean [{near[0]}]?")
    return out


def _exists(name: str) -> bool:
    from runcast.plugins.manager import backend_names

    return name in backend_names()

"""From configuration to registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from runcast.config import Config, Policy, load
from runcast.config.packages import missing_packages
from runcast.config.preflight import preflight
from runcast.errors import ConfigError
from runcast.journal import Layout
from runcast.model_registry.promotion import validate
from runcast.model_registry.several import Registries
from runcast.model_registry.single import ModelRegistry
from runcast.plugins.manager import backend_class, backend_names, registry_class, registry_names


@overload
def registry(
    backend: str, *, policy: Policy | None = None, config: Mapping[str, Any] | None = None, by: str = ""
) -> ModelRegistry: ...
@overload
def registry(
    backend: list[str] | tuple[str, ...] | None = None,
    *,
    policy: Policy | None = None,
    config: Mapping[str, Any] | None = None,
    by: str = "",
) -> Registries: ...
def registry(
    backend: str | list[str] | tuple[str, ...] | None = None,
    *,
    policy: Policy | None = None,
    config: Mapping[str, Any] | None = None,
    by: str = "",
) -> ModelRegistry | Registries:
    """The model registry of a tracker, or of several at once.

    Args:
        backend: one name gives a `ModelRegistry`; a list, or None for every configured backend that has a
            registry (``local`` where there is none), gives `Registries`.
        policy: instead of ``[registry.policy]``.
        config: over the configuration, nested as in ``runcast.toml``.
        by: who does what is done; ``user@host`` where left out.

    Raises:
        ConfigError: the backend has no registry, a package is missing, an option or the policy is wrong.
    """
    loaded = load(dict(config or {}))
    chosen = validate(policy or loaded.settings.registry.policy)
    if isinstance(backend, str):
        return _one(backend, loaded, chosen, by)
    known = registry_names()
    names = list(backend) if backend is not None else [n for n in loaded.settings.backends if n in known]
    return Registries({name: _one(name, loaded, chosen, by) for name in names or ["local"]})


def _one(name: str, config: Config, policy: Policy, by: str) -> ModelRegistry:
    known = registry_names()
    if name not in known and name in backend_names():
        raise ConfigError(f"{name} has no model registry: take one of {', '.join(known)}")
    kind = registry_class(name)
    if missing := missing_packages(kind.requires):
        packages = " ".join(f"'{package}'" for package in dict.fromkeys(missing.values()))
        raise ConfigError(f"registry {name!r} needs {', '.join(missing)}: pip install {packages}")
    raw = preflight([name], config)[name]
    options = backend_class(name).Options.model_validate(raw)
    return ModelRegistry(kind(options, config.base, config.dir), Layout(config.dir), policy, by=by)

"""Loads plugins, each inside its own guard: a broken one is reported and harms nobody.

pluggy registers and checks the hooks; they are then called one by one, because in pluggy's own call
the first hook that raises silences the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint
from typing import Any

import pluggy
from pydantic import BaseModel

from runcast.entries import BUILTIN, GROUP, Entry, entries
from runcast.errors import ConfigError
from runcast.names import is_backend_name
from runcast.plugins import hookspecs
from runcast.plugins.backend import Backend
from runcast.plugins.capabilities import Capabilities
from runcast.plugins.registry import Registry
from runcast.plugins.requirement import unmet
from runcast.plugins.source import Source
from runcast.redact import redact_text

_TABOO = frozenset(
    {
        "backends",
        "delivery",
        "dir",
        "durability",
        "enabled",
        "finish_timeout",
        "profile",
        "ranks",
        "redact",
        "registry",
        "strict",
    }
)
_HOOKS: dict[str, type[Any]] = {"backends": Backend, "sources": Source, "registries": Registry}
_LONGEST = 300  # characters of a plugin's own error


@dataclass(frozen=True)
class Plugin:
    """What became of one entry point.

    Attributes:
        name: of the entry point.
        module: what it points to.
        distribution, version: the installed package that brought it.
        backends, sources, registries: names of those that it offers and that are in use.
        error: what is wrong with it, or None; a plugin may offer one good backend and one bad.
    """

    name: str
    module: str
    distribution: str
    version: str
    backends: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    error: str | None = None


def plugins() -> list[Plugin]:
    """Every plugin, loaded: the built-in ones first, in the order of `runcast.entries`."""
    manager = _manager(entries())
    return [manager.load(entry) for entry in manager.entries]


def backend_names() -> list[str]:
    """Names of every backend that can be used, sorted."""
    plugins()
    return sorted(_manager(entries()).backends)


def backend_class(name: str) -> type[Backend]:
    """The backend that is called `name`; loads no more plugins than needed to find it.

    Raises:
        ConfigError: there is none, or its plugin is broken; the message says which and what to do.
    """
    if (found := _find("backends", name)) is not None:
        return found
    raise ConfigError(_missing(name))


def source_class(name: str) -> type[Source]:
    """The source of addresses that begin with ``name:``.

    Raises:
        ConfigError: there is none; the message lists those that there are.
    """
    if (found := _find("sources", name)) is not None:
        return found
    raise ConfigError(_unknown("source", name, source_names()))


def registry_class(name: str) -> type[Registry]:
    """The registry that is called `name`.

    Raises:
        ConfigError: there is none; the message lists those that there are.
    """
    if (found := _find("registries", name)) is not None:
        return found
    raise ConfigError(_unknown("registry", name, registry_names()))


def source_names() -> list[str]:
    """Names of every source that can be used, sorted."""
    plugins()
    return sorted(_manager(entries()).sources)


def registry_names() -> list[str]:
    """Names of every registry that can be used, sorted."""
    plugins()
    return sorted(_manager(entries()).registries)


def _find(kind: str, name: str) -> type[Any] | None:
    """A plugin's class, or None; loads no more plugins than needed to find it."""
    manager = _manager(entries())
    # A plugin is free to name its entry point differently; most do not.
    likely = (kind, name)
    for entry in sorted(manager.entries, key=lambda entry: (entry.name != kind, entry.name != name)):
        if name in BUILTIN and entry.name not in likely:
            break  # nobody may take a built-in name
        manager.load(entry)
        if name in (offered := getattr(manager, kind)):
            found: type[Any] = offered[name]
            return found
    return None


def _unknown(kind: str, name: str, names: Sequence[str]) -> str:
    known = ", ".join(names) or "none"
    return f"there is no {kind} {redact_text(name)!r}; known: {known}; see `runcast plugins`"


def _missing(name: str) -> str:
    from difflib import get_close_matches

    broken = next((plugin for plugin in plugins() if plugin.name == name and plugin.error), None)
    if broken is not None:
        source = f"{broken.distribution} {broken.version}".strip()
        return f"backend {name!r} cannot be used: its plugin ({source}) is broken: {broken.error}"
    known = backend_names()
    near = get_close_matches(name, known, n=1)
    mend = f"do you mean {near[0]!r}? " if near else ""
    return (
        f"there is no backend {redact_text(name)!r}; {mend}Known: {', '.join(known) or 'none'}. "
        "A plugin brings more: `pip install` the one that has it, then `runcast plugins`"
    )


@lru_cache(maxsize=8)
def _manager(found: tuple[Entry, ...]) -> _Manager:
    return _Manager(found)


class _Manager:
    def __init__(self, found: tuple[Entry, ...]) -> None:
        self.entries = found
        self.backends: dict[str, type[Backend]] = {}
        self.sources: dict[str, type[Source]] = {}
        self.registries: dict[str, type[Registry]] = {}
        self._reports: dict[Entry, Plugin] = {}
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(hookspecs)

    def load(self, entry: Entry) -> Plugin:
        """Load one plugin, once."""
        if entry not in self._reports:
            offered: dict[str, list[str]] = {kind: [] for kind in _HOOKS}
            try:
                problems = self._take(entry, offered)
            except KeyboardInterrupt:  # a person's Ctrl-C, not the plugin's doing
                raise
            except BaseException as error:  # SystemExit and worse happen at the import of hostile modules
                problems = [_text(error)]
            self._reports[entry] = Plugin(
                name=entry.name,
                module=entry.value,
                distribution=entry.distribution,
                version=entry.version,
                backends=tuple(offered["backends"]),
                sources=tuple(offered["sources"]),
                registries=tuple(offered["registries"]),
                error="; ".join(problems) or None,
            )
        return self._reports[entry]

    def _take(self, entry: Entry, offered: dict[str, list[str]]) -> list[str]:
        if entry.distribution != "runcast":
            version = str(getattr(sys.modules.get("runcast"), "__version__", "0"))
            if asked := unmet(entry.distribution, version):
                return [f"it asks for {asked!r}, and this is runcast {version}: pip install -U runcast"]
        plugin = EntryPoint(entry.name, entry.value, GROUP).load()
        self._pluggy.register(plugin, f"{entry.distribution}:{entry.name}")
        problems: list[str] = []
        hooked = False
        for kind in _HOOKS:
            caller = getattr(self._pluggy.hook, f"runcast_{kind}")
            for hook in caller.get_hookimpls():
                if hook.plugin is plugin:
                    hooked = True
                    problems += self._take_hook(entry, kind, hook.function(), offered[kind])
        if not hooked:
            problems.append(
                "it implements no hook: decorate a function `runcast_backends` with runcast.plugins.hookimpl"
            )
        return problems

    def _take_hook(self, entry: Entry, kind: str, classes: Any, offered: list[str]) -> list[str]:
        if isinstance(classes, (str, bytes)) or not isinstance(classes, Sequence):
            return [f"runcast_{kind} must return a list of classes, not {type(classes).__name__}"]
        return list(filter(None, (self._offer(entry, kind, candidate, offered) for candidate in classes)))

    def _offer(self, entry: Entry, kind: str, candidate: Any, offered: list[str]) -> str:
        problem = unusable(candidate, _HOOKS[kind])
        if problem:
            return problem
        name, known = candidate.name, getattr(self, kind)
        word = _HOOKS[kind].__name__.lower()
        if name in BUILTIN and entry.distribution != "runcast":
            return f"the {word} name {name!r} is built in; the plugin must choose another"
        if name in known:
            owner = self._owner(kind, name)
            return f"the {word} name {name!r} is taken by {owner}; uninstall one of the two"
        known[name] = candidate
        offered.append(name)
        return ""

    def _owner(self, kind: str, name: str) -> str:
        owners = (plugin.distribution for plugin in self._reports.values() if name in getattr(plugin, kind))
        return next(owners, "the same plugin")


def unusable(candidate: Any, base: Any = Backend) -> str:
    """Why a class cannot serve as a backend, source or registry; "" where it can."""
    if not isinstance(candidate, type) or not issubclass(candidate, base):
        kind = candidate.__name__ if isinstance(candidate, type) else type(candidate).__name__
        return f"{kind} is no subclass of runcast.plugins.{base.__name__}"
    label = candidate.__name__
    if missing := sorted(getattr(candidate, "__abstractmethods__", ())):
        return f"{label} lacks {', '.join(missing)}"
    name = getattr(candidate, "name", None)
    if not isinstance(name, str) or not is_backend_name(name):
        return f"{label}.name must be lower-case letters, digits, - and _, beginning with a letter"
    if base is not Backend:
        return ""
    if name in _TABOO:
        return f"{label}.name {name!r} is a setting of runcast; choose another"
    if not isinstance(getattr(candidate, "capabilities", None), Capabilities):
        return f"{label}.capabilities must be a runcast.plugins.Capabilities"
    options: Any = getattr(candidate, "Options", None)
    if not isinstance(options, type) or not issubclass(options, BaseModel):
        return f"{label}.Options must be a subclass of runcast.plugins.Options"
    return ""


def _text(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return redact_text(text[:_LONGEST])

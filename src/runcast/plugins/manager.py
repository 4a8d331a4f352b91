"""Loads plugins, each inside its own guard: a broken one is reported and harms nobody.

pluggy registers and checks the hooks; they are then called one by one, because in pluggy's own call
the first hook that raises silences the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint
from typing import Any

import pluggy
from pydantic import BaseModel

from runcast.entries import BUILTIN, GROUP, Entry, entries
from runcast.errors import ConfigError
from runcast.plugins import hookspecs
from runcast.plugins.backend import Backend
from runcast.plugins.capabilities import Capabilities
from runcast.redact import redact_text

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
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
        "strict",
    }
)
_LONGEST = 300  # characters of a plugin's own error


@dataclass(frozen=True)
class Plugin:
    """What became of one entry point.

    Attributes:
        name: of the entry point.
        module: what it points to.
        distribution, version: the installed package that brought it.
        backends: names of the backends that it offers and that are in use.
        error: what is wrong with it, or None; a plugin may offer one good backend and one bad.
    """

    name: str
    module: str
    distribution: str
    version: str
    backends: tuple[str, ...] = ()
    error: str | None = None


def plugins() -> list[Plugin]:
    """Every plugin, loaded: the built-in ones first, in the order of `runcast.entries`."""
    manager = _manager(entries())
    return [manager.load(entry) for entry in manager.entries]


def backend_names() -> list[str]:
    """Names of every backend that can be used, sorted."""
    plugins()
    return sorted(_manager(entries()).classes)


def backend_class(name: str) -> type[Backend]:
    """The backend that is called `name`; loads no more plugins than needed to find it.

    Raises:
        ConfigError: there is none, or its plugin is broken; the message says which and what to do.
    """
    manager = _manager(entries())
    # A plugin is free to name its entry point differently; most do not.
    for entry in sorted(manager.entries, key=lambda entry: entry.name != name):
        plugin = manager.load(entry)
        if name in manager.classes:
            return manager.classes[name]
        if entry.name == name == plugin.name and name in BUILTIN:
            break  # nobody may take a built-in name
    raise ConfigError(_missing(name))


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
        self.classes: dict[str, type[Backend]] = {}
        self._reports: dict[Entry, Plugin] = {}
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(hookspecs)

    def load(self, entry: Entry) -> Plugin:
        """Load one plugin, once."""
        if entry not in self._reports:
            offered: list[str] = []
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
                backends=tuple(offered),
                error="; ".join(problems) or None,
            )
        return self._reports[entry]

    def _take(self, entry: Entry, offered: list[str]) -> list[str]:
        plugin = EntryPoint(entry.name, entry.value, GROUP).load()
        self._pluggy.register(plugin, f"{entry.distribution}:{entry.name}")
        hooks = [hook for hook in self._pluggy.hook.runcast_backends.get_hookimpls() if hook.plugin is plugin]
        if not hooks:
            return [
                "it implements no hook: decorate a function `runcast_backends` with runcast.plugins.hookimpl"
            ]
        problems: list[str] = []
        for hook in hooks:
            classes = hook.function()
            if isinstance(classes, (str, bytes)) or not isinstance(classes, Sequence):
                problems.append(
                    f"runcast_backends must return a list of classes, not {type(classes).__name__}"
                )
                continue
            for candidate in classes:
                problem = self._offer(entry, candidate, offered)
                problems += [problem] if problem else []
        return problems

    def _offer(self, entry: Entry, candidate: Any, offered: list[str]) -> str:
        problem = unusable(candidate)
        if problem:
            return problem
        name = candidate.name
        if name in BUILTIN and entry.value != BUILTIN[name]:
            return f"the backend name {name!r} is built in; the plugin must choose another"
        if name in self.classes:
            return f"the backend name {name!r} is taken by {self._owner(name)}; uninstall one of the two"
        self.classes[name] = candidate
        offered.append(name)
        return ""

    def _owner(self, name: str) -> str:
        owners = (plugin.distribution for plugin in self._reports.values() if name in plugin.backends)
        return next(owners, "the same plugin")


def unusable(candidate: Any) -> str:
    """Why a class cannot serve as a backend; "" where it can."""
    if not isinstance(candidate, type) or not issubclass(candidate, Backend):
        kind = candidate.__name__ if isinstance(candidate, type) else type(candidate).__name__
        return f"{kind} is no subclass of runcast.plugins.Backend"
    label = candidate.__name__
    if missing := sorted(getattr(candidate, "__abstractmethods__", ())):
        return f"{label} lacks {', '.join(missing)}"
    name = getattr(candidate, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{label}.name must be lower-case letters, digits, - and _, beginning with a letter"
    if name in _TABOO:
        return f"{label}.name {name!r} is a setting of runcast; choose another"
    if not isinstance(getattr(candidate, "capabilities", None), Capabilities):
        return f"{label}.capabilities must be a runcast.plugins.Capabilities"
    options: Any = candidate.Options
    if not isinstance(options, type) or not issubclass(options, BaseModel):
        return f"{label}.Options must be a subclass of runcast.plugins.Options"
    return ""


def _text(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return redact_text(text[:_LONGEST])

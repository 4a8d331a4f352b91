"""The layers, one over the other."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from runcast.config import environment, files
from runcast.config.plain import plain
from runcast.config.routes import check_routes
from runcast.config.rules import not_a_pattern
from runcast.config.settings import PARTS, TABLES, Config, Settings
from runcast.errors import ConfigError
from runcast.redact import redact_value

ARGUMENT = "argument"
DEFAULT = "default"
_LISTS = ("backends", "redact", "capture")
_SWITCH = {"true": list(PARTS), "1": list(PARTS), "false": [], "0": [], "none": []}
"""What ``capture`` may be besides a list."""
_NESTED = {"routes": "routes.mlflow", "registry": "registry.policy"}
"""Setting that holds tables → one of them."""


def load(
    arguments: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    start: Path | None = None,
) -> Config:
    """Settle every setting: arguments, then ``RUNCAST_*``, the project's file, the user's, defaults.

    Args:
        arguments: nested as in ``runcast.toml``; a setting that is None counts as not given.
        environ: the environment; ``os.environ`` where left out.
        start: folder where the search for the project's file begins; the current one where left out.

    Raises:
        ConfigError: an unknown setting, a value of the wrong kind, a file that cannot be understood.
            A backend's own options are checked later, by `runcast.config.preflight`.
    """
    environ = os.environ if environ is None else environ
    folder = _folder(start)
    layered = _Layers()
    user = files.user_file(environ)
    if user is not None and (tree := files.read(user)) is not None:
        layered.add(tree, str(user))
        layered.files.append(user)
    if (project := files.find_project(folder)) is not None:
        path, tree = project
        layered.add(tree, str(path))
        layered.files.append(path)
        folder = path.parent
    given = {key: value for key, value in plain(arguments or {}).items() if value is not None}
    tree, variables, ignored = environment.read(environ)
    layered.add(*layered.with_dashes(tree, variables, given))
    layered.add(given, ARGUMENT)
    return Config(
        settings=layered.settings(),
        base=folder,
        options={key: table for key, table in layered.tree.items() if key not in Settings.__struct_fields__},
        origins=layered.origins,
        files=tuple(layered.files),
        ignored=tuple(ignored),
    )


def _folder(start: Path | None) -> Path:
    try:
        return Path.cwd() if start is None else Path(start).absolute()
    except OSError as error:
        raise ConfigError(
            f"the current folder is gone ({error.strerror}); change to one that exists"
        ) from None


class _Layers:
    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.origins = dict.fromkeys(_leaves(msgspec.to_builtins(Settings())), DEFAULT)
        self.files: list[Path] = []

    def add(self, layer: Mapping[str, Any], origin: str | Mapping[str, str]) -> None:
        """Lay `layer` over what is there; `origin` names it, or the variable of each dotted key."""
        for key, value in layer.items():
            _check(key, value, origin)
            if key == "capture" and str(value).lower() in _SWITCH:
                value = _SWITCH[str(value).lower()]
            if key in _LISTS and isinstance(value, str):
                value = [part.strip() for part in value.split(",") if part.strip()]
            value = plain(value, f"{_origin(key, origin)}: {key}")
            if isinstance(value, dict):
                _merge(self.tree.setdefault(key, {}), value)
            else:
                self.tree[key] = value
            for leaf in [*_leaves({key: value}), *(["routes"] if key == "routes" else [])]:
                self.origins[leaf] = _origin(leaf, origin)

    def with_dashes(
        self, tree: dict[str, Any], variables: dict[str, str], given: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Variables cannot spell ``my-tracker``: give a table the name that the other layers use."""
        listed = given.get("backends", tree.get("backends", self.tree.get("backends")))
        if isinstance(listed, str):
            listed = [name.strip() for name in listed.split(",")]
        names = [*self.tree, *given, *(listed if isinstance(listed, list) else [])]
        names += [*self.tree.get("routes", {})]
        spelled = {name.lower().replace("-", "_"): name for name in names if isinstance(name, str)}
        renamed = {spelled.get(key, key) if isinstance(v, dict) else key: v for key, v in tree.items()}
        if isinstance(routes := renamed.get("routes"), dict):
            renamed["routes"] = {spelled.get(key, key): table for key, table in routes.items()}
        dotted = {}
        for key, variable in variables.items():
            above = "routes." if key.startswith("routes.") else ""
            head, dot, tail = key[len(above) :].partition(".")
            dotted[above + (spelled.get(head, head) if dot else head) + dot + tail] = variable
        return renamed, dotted

    def settings(self) -> Settings:
        """The settings as one struct.

        Raises:
            ConfigError: a value of the wrong kind.
        """
        raw = {key: value for key, value in self.tree.items() if key in Settings.__struct_fields__}
        routes = check_routes(raw.pop("routes", {}), lambda key: _origin(key, self.origins), unknown)
        if isinstance(rules := raw.get("rules"), dict) and isinstance(
            tags := rules.get("required_tags"), str
        ):
            raw["rules"] = {**rules, "required_tags": [t.strip() for t in tags.split(",") if t.strip()]}
        try:
            settings = msgspec.convert(raw, Settings, strict=False)
        except msgspec.ValidationError as error:
            raise self._wrong(raw, str(error)) from None
        for key in ("finish_timeout", "system_interval"):
            if not math.isfinite(getattr(settings, key)):
                raise self._wrong(raw, f"Expected a finite number of seconds - at `$.{key}`")
        for key in ("experiment", "name"):
            if problem := not_a_pattern(getattr(settings.rules, key)):
                raise self._wrong(raw, f"{problem} - at `$.rules.{key}`")
        if "\0" in settings.dir:
            raise self._wrong(raw, "Expected a path without NUL - at `$.dir`")
        directory = os.path.expanduser(settings.dir)  # noqa: PTH111  # the pathlib form raises without a home
        return msgspec.structs.replace(
            settings, dir=directory, backends=list(dict.fromkeys(settings.backends)), routes=routes
        )

    def _wrong(self, raw: dict[str, Any], message: str) -> ConfigError:
        what, _, at = message.partition(" - at `$.")
        key = re.sub(r"\[.*", "", at.rstrip("`"))
        value: Any = raw
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else value
        allowed = _allowed(key)
        if allowed:
            what = "allowed: " + ", ".join(allowed)
        shown = redact_value(key, value)
        return ConfigError(f"`{key}` = {shown!r:.200} ({self.origins.get(key, DEFAULT)}): {what}")


def _check(key: str, value: Any, origin: str | Mapping[str, str]) -> None:
    """Refuse what is neither a setting nor a backend's table."""
    if key not in Settings.__struct_fields__:
        if not isinstance(value, dict):
            raise unknown(key, Settings.__struct_fields__, _origin(key, origin))
    elif key in _NESTED:
        if not isinstance(value, dict):
            raise ConfigError(f"{_origin(key, origin)}: `{key}` holds tables, such as [{_NESTED[key]}]")
    elif key not in TABLES:
        if isinstance(value, dict):
            raise ConfigError(f"{_origin(key, origin)}: `{key}` is a single value, not a table")
    elif isinstance(value, dict):
        legal = [f"{key}.{name}" for name in TABLES[key].__struct_fields__]
        for dotted in (f"{key}.{name}" for name in value):
            if dotted not in legal:
                raise unknown(dotted, legal, _origin(dotted, origin))
    else:
        names = ", ".join(TABLES[key].__struct_fields__)
        raise ConfigError(f"{_origin(key, origin)}: `{key}` is a table with {names}")


def _origin(key: str, origin: str | Mapping[str, str]) -> str:
    """The variable that set `key`, something around it, or something in it; or the layer's one name."""
    if isinstance(origin, str):
        return origin
    parts = key.split(".")
    around = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    within = (dotted for dotted in origin if dotted.startswith(key + "."))
    return next((origin[dotted] for dotted in (*around, *within) if dotted in origin), "environment")


def _allowed(key: str) -> list[str]:
    head, _, tail = key.partition(".")
    fields = msgspec.structs.fields(TABLES.get(head, Settings))
    kind = next((field.type for field in fields if field.name == (tail or head)), None)
    if kind is bool:
        return ["true", "false"]
    parts = (word for part in (kind, *get_args(kind)) for word in get_args(part) or [part])
    return list(dict.fromkeys(word for word in parts if isinstance(word, str)))


def _merge(tree: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    out: list[str] = []
    for key, value in tree.items():
        inner = _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else []
        out += inner or [f"{prefix}{key}"]
    return out


def unknown(key: str, legal: Any, origin: str, what: str = "setting") -> ConfigError:
    """The error for a name that does not exist, with the closest that does."""
    from difflib import get_close_matches

    near = get_close_matches(key, list(legal), n=1, cutoff=0.5)
    mend = f"do you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(legal))}"
    return ConfigError(f"{origin}: there is no {what} `{key}`; {mend}")

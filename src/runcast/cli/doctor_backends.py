"""The doctor's look at one backend, guarded: it may raise, print, or hang."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from runcast.cli.doctor_lines import Line, Value, show
from runcast.config import Config
from runcast.config.preflight import preflight, public_options, with_environment
from runcast.errors import ConfigError
from runcast.normalize.problem import text_of
from runcast.plugins.backend import Backend, Finding
from runcast.redact import MASK


def backend_lines(name: str, configured: bool, config: Config, timeout: float) -> list[Line]:
    """The backend's configuration, its packages, and what it says about itself.

    A backend that is merely installed may lack its package; one that is configured may not.
    """
    from runcast.plugins.manager import backend_class

    try:
        options = preflight([name], config)[name]
        backend = backend_class(name)
    except ConfigError as error:
        mend = "correct the configuration as it says" if configured else "only if you want to use it"
        return [Line(section=name, ok=not configured, what=str(error), mend=mend)]
    return [
        Line(section=name, ok=True, what="options and packages are in order"),
        *_diagnose(backend, options, config, timeout),
    ]


def table_lines(name: str, config: Config) -> list[Line]:
    """What is wrong in the table of a backend that no run goes to just now."""
    from runcast.config.options import check
    from runcast.plugins.manager import backend_class

    try:
        backend = backend_class(name)
        check(name, backend, *with_environment(name, config, backend.environment, os.environ))
    except ConfigError as error:
        mend = f"correct it before a run goes to {name}"
        return [Line(section=name, ok=False, what=str(error), mend=mend)]
    return []


def backend_values(name: str, config: Config) -> Iterator[Value]:
    """The options that are set, and where they came from."""
    from runcast.config.options import declares_secret
    from runcast.plugins.manager import backend_class

    try:
        backend = backend_class(name)
    except ConfigError:
        return
    options, origins = with_environment(name, config, backend.environment, os.environ)
    for option, value in public_options(options).items():
        secret = declares_secret(backend.Options, (option,))
        origin = origins.get(option) or next(
            (o for key, o in origins.items() if key.startswith(f"{option}.")), ""
        )
        shown = MASK if secret else show(option, value)
        yield Value(key=f"{name}.{option}", value=shown, origin=origin)


def _diagnose(
    backend: type[Backend], options: dict[str, object], config: Config, timeout: float
) -> list[Line]:
    found: list[Finding] = []
    failure: list[str] = []

    def ask() -> None:
        try:
            found.extend(backend.diagnose(backend.Options.model_validate(options)))
        except BaseException as error:  # a plugin may raise anything, SystemExit included
            failure.append(f"{type(error).__name__}: {text_of(error)}")

    thread = threading.Thread(target=ask, daemon=True)
    with _in_folder(config), contextlib.redirect_stdout(sys.stderr):
        thread.start()
        thread.join(timeout)
    name = backend.name
    if thread.is_alive():
        mend = "see whether the tracker answers; --timeout gives it longer"
        return [Line(section=name, ok=False, what=f"gave no answer within {timeout:g} s", mend=mend)]
    if failure:
        mend = f"report it to the author of the backend {name!r}"
        return [Line(section=name, ok=False, what=f"its examination failed: {failure[0]}", mend=mend)]
    lines = [item for item in found if isinstance(item, Finding)]
    return [Line(section=name, ok=item.ok, what=item.what, mend=item.mend) for item in lines]


@contextlib.contextmanager
def _in_folder(config: Config) -> Iterator[None]:
    """Relative paths in options are relative to the project's folder, as in a run."""
    before = os.getcwd()  # noqa: PTH109  # it may not be representable as a Path of today
    os.chdir(config.base)
    try:
        yield
    finally:
        os.chdir(before)

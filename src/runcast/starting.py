"""Starting, resuming and joining runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from runcast import codec, normalize, ranks
from runcast.config import Config, load
from runcast.errors import ConfigError, UsageError
from runcast.journal import JournalWriter
from runcast.notices import warn
from runcast.records import RunStarted
from runcast.redact import key_pattern, redact_text, redact_tree
from runcast.run import Run
from runcast.session import Session, session

if TYPE_CHECKING:
    from pathlib import Path

    from runcast.capture import Job
    from runcast.config.settings import Profile, Rules
    from runcast.plugins.backend import Backend
    from runcast.reproduce.hook import Reproduction

_started = 0
_current: list[Run] = []


def start(
    experiment: str = "default",
    *,
    name: str | None = None,
    params: Any = None,
    tags: Any = None,
    notes: str | None = None,
    backends: Sequence[str | type[Backend]] | str | None = None,
    parent: Run | str | None = None,
    resume: str | Mapping[str, Any] | None = None,
    group: str | None = None,
    job_type: str | None = None,
    config: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> Run:
    """Start a run; use it in ``with``, or call ``finish``.

    Args:
        experiment: what groups runs (W&B: project; TensorBoard: folder).
        name: what people call the run.
        params: settings, see `Run.log_params`.
        tags: labels, see `Run.set_tags`.
        notes: a description in prose.
        backends: names of backends, or classes of the script's own; the configured ones where left out.
        parent: the run, or its id, that this one is nested in.
        resume: a run's id, or what `Run.state_dict` gave: go on with that run.
        group, job_type: two more axes of grouping, as in W&B.
        config: settings that overrule every other source, nested as in ``runcast.toml``.
        strict: raise on misuse instead of warning; for tests.

    Raises:
        ConfigError: an unknown backend, a missing package, a wrong option, an unknown run to resume,
            a folder that cannot be written; the message says how to mend it.
    """
    from runcast.config.preflight import preflight
    from runcast.config.routes import check_backends
    from runcast.courier import started_here
    from runcast.entries import BUILTIN

    global _started
    names, classes = _named(backends)
    arguments = dict(config or {})
    if names is not None:
        arguments["backends"] = [name for name in names if name not in classes]
    if strict is not None:
        arguments["strict"] = strict
    again = _reproduction()
    settled, resume = again.settle(arguments, resume) if again is not None else (load(arguments), resume)
    ordinal, _started = _started, _started + 1
    settings = settled.settings
    if not settings.enabled:
        return _enter(_muted(settled, "", name or "disabled", experiment))
    distributed = ranks.world_size() > 1
    run_id = _resumed_id(resume) or (ranks.common_run_id(ordinal) if distributed else os.urandom(8).hex())
    if ranks.rank() > 0 and settings.ranks == "zero":
        return _enter(_muted(settled, run_id, name or f"run-{run_id[:6]}", experiment))

    if resume is None:
        _check_rules(settings.rules, str(experiment), name, tags, nested=parent is not None)
    chosen = list(settings.backends) or ([] if classes else _by_profile(settings.profile))
    options = preflight([*chosen, *classes.values()], settled)
    check_backends(settings.routes, options, BUILTIN)
    here = _session(settled.base / settings.dir)
    fresh = RunStarted(time=0, run=run_id, experiment=str(experiment), name=str(name or f"run-{run_id[:6]}"))
    started, next_step, generation = fresh, 0, 0
    if resume is not None or distributed:
        from runcast.resuming import rejoin

        started, next_step, generation = rejoin(here, fresh, resume, among_ranks=distributed)
    if resume is None and started is fresh:  # of one that is there, others may have said where it goes
        started_here.note(here.layout, run_id)
    if ranks.rank() > 0:
        return _enter(_joined(settled, here, started, generation, next_step, options))
    parent_id = parent.id if isinstance(parent, Run) else parent
    record = RunStarted(
        time=time.time_ns(),
        run=run_id,
        experiment=started.experiment,
        name=started.name,
        parent=parent_id or started.parent,
        resumed=generation > 0,
        group=group or started.group,
        job_type=job_type or started.job_type,
        user=os.environ.get("USER") or os.environ.get("LOGNAME"),
        host=os.uname().nodename,
        base=str(settled.base),
        backends={backend: _public(values, settings.redact) for backend, values in options.items()},
        routes={
            name: msgspec.to_builtins(settings.routes[name]) for name in options if name in settings.routes
        },
    )
    writer = _writer(settled, here, run_id, generation)
    writer.append(codec.encode(record))
    run = Run(
        id=run_id,
        name=record.name,
        experiment=record.experiment,
        config=settled,
        session=here,
        writer=writer,
        options=options,
        next_step=next_step,
        generation=generation,
        starter=start,
    )
    if again is not None:
        again.mark(run, name, parent_id)
    here.announce(run_id, options, classes, settings.delivery, _surroundings(run, generation))
    try:
        if params is not None:
            run.log_params(params)
        if tags is not None:
            run.set_tags(tags)
        if notes is not None:
            run.set_note(notes)
    except UsageError as error:  # strict: nobody gets hold of this run, so nobody else can end it
        run.finish("failed", timeout=0.0)
        raise error
    return _enter(run)


def join(
    run_id: str,
    name: str,
    experiment: str,
    config: Config,
    muted: bool,
    backends: Sequence[str] = (),
    generation: int = 0,
    next_step: int = 0,
) -> Run:
    """The same run in another process, which gets a writer of its own; ``finish`` there ends nothing."""
    if muted:
        return _muted(config, run_id, name, experiment)
    here = _session(config.base / config.settings.dir)
    started = RunStarted(time=0, run=run_id, experiment=experiment, name=name)
    return _joined(config, here, started, generation, next_step, backends)


def current_run() -> Run | None:
    """The run that was started last and is not finished, or None."""
    while _current and _current[-1]._finished:
        _current.pop()
    return _current[-1] if _current else None


def log(values: Mapping[str, Any], step: int | None = None) -> None:
    """`Run.log` on the current run; without one, it says so once and does nothing."""
    run = current_run()
    if run is not None:
        run.log(values, step)
    elif not getattr(log, "told", False):
        log.told = True  # type: ignore[attr-defined]  # once per process
        warn("runcast.log: no run is going on, so nothing was logged; call runcast.start first")


def _surroundings(run: Run, generation: int) -> Job:
    """Record what costs nothing; gives what the courier is to record."""
    from runcast import capture

    settings = run._config.settings
    values = capture.at_start(settings.capture, run._redacted)
    seeds = sys.modules.get("runcast.seeds")
    done = seeds.last() if seeds is not None else None
    if done is not None:
        values["seeds"] = msgspec.to_builtins(done)
    run._describe(values)
    return capture.Job(
        parts=list(settings.capture),
        git=values.get("git", {}),
        pid=os.getpid(),
        generation=generation,
        interval=settings.system_interval,
        energy=settings.energy,
        folder=str(run._config.base),
    )


def _reproduction() -> Reproduction | None:
    """What ``runcast reproduce`` asks of this process; None in every other."""
    if "RUNCAST_REPRODUCE" not in os.environ:
        return None
    from runcast.reproduce.hook import reproduction

    return reproduction()


def _check_rules(rules: Rules, experiment: str, name: str | None, tags: Any, *, nested: bool) -> None:
    if rules == type(rules)():
        return
    from runcast.config.rules import violations

    given = normalize.tags(tags)[0] if tags is not None else {}
    broken = violations(rules, experiment, name, given, nested=nested)
    if broken and rules.on_violation == "error":
        raise ConfigError("; ".join(broken))
    for sentence in broken:
        warn(sentence)


def _enter(run: Run) -> Run:
    _current.append(run)
    return run


def _named(
    backends: Sequence[str | type[Backend]] | str | None,
) -> tuple[list[str] | None, dict[str, type[Backend]]]:
    """Names of the backends asked for, and the classes among them."""
    if backends is None:
        return None, {}
    if isinstance(backends, (str, type)):
        backends = backends.split(",") if isinstance(backends, str) else [backends]
    names: list[str] = []
    classes: dict[str, type[Backend]] = {}
    for backend in backends:
        name = backend.strip() if isinstance(backend, str) else getattr(backend, "name", None)
        if not isinstance(name, str) or not isinstance(backend, (str, type)):
            raise ConfigError(
                f"backends= takes names and subclasses of runcast.plugins.Backend, not {backend!r}"
            )
        if not isinstance(backend, str) and classes.setdefault(name, backend) is not backend:
            raise ConfigError(f"two backends are called {name!r}; rename one of the classes")
        names.append(name)
    return names, classes


def _by_profile(profile: Profile) -> list[str]:
    """What the selector chooses where nothing is configured; the local catalog without a profile."""
    if profile == type(profile)():
        return ["local"]
    from runcast.selector.installed import choose

    chosen, why = choose(profile)
    if not getattr(_by_profile, "told", False):
        _by_profile.told = True  # type: ignore[attr-defined]  # once per process
        warn(f"no backends are configured, so runs go to {', '.join(chosen)}: {why}")
    return chosen


def _public(options: Mapping[str, Any], secret_names: list[str]) -> dict[str, Any]:
    from runcast.config.preflight import public_options

    return redact_tree(public_options(options), key_pattern(secret_names))[0]


def _muted(config: Config, run_id: str, name: str, experiment: str) -> Run:
    return Run(
        id=run_id,
        name=name,
        experiment=experiment,
        config=config,
        session=None,
        writer=None,
        options={},
        starter=start,
    )


def _joined(
    config: Config,
    here: Session,
    started: RunStarted,
    generation: int,
    next_step: int,
    backends: Iterable[str],
) -> Run:
    return Run(
        id=started.run,
        name=started.name,
        experiment=started.experiment,
        config=config,
        session=here,
        writer=_writer(config, here, started.run, generation),
        options={backend: {} for backend in backends},  # their names, to wait for; the courier has the rest
        next_step=next_step,
        generation=generation,
        owner=False,
    )


def _writer(config: Config, here: Session, run_id: str, generation: int) -> JournalWriter:
    return JournalWriter(
        here.layout.journal(run_id),
        run_id,
        process=here.process,
        generation=generation,
        sync=config.settings.durability == "fsync",
        on_trouble=lambda message: warn(redact_text(message)),
        on_slice=here.courier.check,
    )


def _session(directory: Path) -> Session:
    try:
        return session(directory)
    except OSError as error:
        raise ConfigError(
            f"runcast cannot write in {directory}: {error.strerror}; "
            "make it writable, or set another folder with `dir` or RUNCAST_DIR"
        ) from error


def _resumed_id(resume: str | Mapping[str, Any] | None) -> str | None:
    if resume is None or isinstance(resume, str):
        return resume
    if not isinstance(resume.get("run"), str):
        raise ConfigError("resume= takes a run's id, or what Run.state_dict() gave")
    return str(resume["run"])

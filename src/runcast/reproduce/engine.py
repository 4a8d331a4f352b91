"""All steps of ``runcast reproduce``; whatever is made on the way is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from runcast.courier.folder import DeliveryFolder
from runcast.courier.report import report
from runcast.errors import ReproductionError
from runcast.journal import Layout
from runcast.reproduce import command, data, packages, points, surroundings, worktree
from runcast.reproduce.causes import causes
from runcast.reproduce.data import Checked
from runcast.reproduce.hook import Reproduction, environment
from runcast.reproduce.past import Past, read
from runcast.reproduce.points import MetricMatch
from runcast.reproduce.surroundings import Row

_GRACE = 10.0
"""Seconds that the script has to end once it is asked to."""
_DELIVERY = 60.0
"""Seconds that delivery of the new run may take before its environment is removed."""
_STARTING = 2.0
"""Seconds that a courier may take to begin."""


@dataclass(frozen=True)
class Wishes:
    """How to reproduce.

    Attributes:
        command: instead of the recorded one.
        code: folder to run in as it is, instead of a worktree.
        repository: where the repository is now.
        links: paths below the old folder that the new one gets too.
        env: make a virtual environment; False: use this interpreter.
        python: to make the environment with.
        replaced: package → version to take instead.
        data: look at the data first.
        rtol, atol, ignore: see `runcast.reproduce.points.compare`.
        keep: leave worktree and environment.
        stdout: descriptor that the script writes to, None for this process's own.
    """

    command: Sequence[str] = ()
    code: Path | None = None
    repository: Path | None = None
    links: Sequence[Path] = ()
    env: bool = True
    python: str | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)
    data: bool = True
    rtol: float = 0.0
    atol: float = 0.0
    ignore: Sequence[str] = ()
    keep: bool = False
    stdout: int | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        run, again: ids of the old run and the new one; None where the script started none.
        exit_code: of the script; negative: the signal that ended it.
        then, now: how the two ended.
        metrics: point by point.
        params: those that differ.
        data: what was found of the inputs.
        causes: why something differs, the likeliest first; empty where nothing does.
        notes: what else a reader should know.
        kept: folder of worktree and environment, where they were to be kept.
    """

    run: str
    again: str | None
    exit_code: int
    then: str
    now: str | None
    metrics: list[MetricMatch]
    params: list[Row]
    data: list[Checked]
    causes: list[str]
    notes: list[str]
    kept: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the run came out the same: its end, its params, and every point of every metric."""
        ended = self.again is not None and self.then == self.now
        return ended and not self.params and all(metric.ok for metric in self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        plain = {name: getattr(self, name) for name in self.__struct_fields__}
        plain["ok"] = self.ok
        plain["metrics"] = [{**msgspec.structs.asdict(m), "ok": m.ok} for m in self.metrics]
        plain["params"] = [msgspec.structs.asdict(row) for row in self.params]
        plain["data"] = [
            {"name": d.name, "state": d.state, "path": str(d.path) if d.path else None, "detail": d.detail}
            for d in self.data
        ]
        return plain


def reproduce(run: Past, wishes: Wishes, tell: Callable[[str], None]) -> Outcome:
    """Run a past run again and compare.

    Args:
        tell: gets a line before each step.

    Raises:
        ReproductionError: something is gone: the commit, the patch, the data, a package, the command.
        UsageError: a wish makes no sense for this run.
    """
    with _folder(wishes.keep) as folder, _code(run, wishes, folder, tell) as (root, tree):
        python = packages.interpreter(run, wishes.python) if wishes.env or wishes.python else sys.executable
        places = command.Places(root, tree, str(run.part("python").get("executable", "")), python)
        words = command.command(run, places, wishes.command)  # before anything takes long
        checked = _data(run, wishes, places)
        notes = _notes(run, wishes)
        if wishes.env:
            places, missing = _environment(run, wishes, folder, places, tell)
            notes += [f"not in the environment: {text}" for text in missing]
            words = command.command(run, places, wishes.command)
        note = folder / "runs"
        told = _told(run, note)
        variables = command.variables(os.environ, places, environment(told), fresh=wishes.env)
        tell(f"running in {tree}")
        code = _run(words, command.folder(run, places), variables, wishes.stdout)
        found = [read(run.home, id) for id in (note.read_text().split() if note.exists() else [])]
        if found:
            notes += _wait(run.home, [past.id for past in found])
        kept = str(folder) if wishes.keep else None
        return _outcome(run, found, code, checked, notes, kept, wishes)


@contextlib.contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="runcast-reproduce-")).resolve()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _code(
    run: Past, wishes: Wishes, folder: Path, tell: Callable[[str], None]
) -> Iterator[tuple[Path, Path]]:
    """The folder of the code then, and now."""
    then = run.part("git").get("root") or run.part("command").get("folder") or ""
    if wishes.code is not None:
        code = wishes.code.resolve()
        if not code.is_dir():
            raise ReproductionError(f"--code {wishes.code}: there is no such folder")
        yield Path(str(then)) if then else code, code
        return
    repository = worktree.repository(wishes.repository, run)
    tell(f"checking out {str(run.part('git')['commit'])[:12]}")
    with worktree.checkout(repository, run, folder, keep=wishes.keep) as tree:
        yield Path(str(then)), tree


def _data(run: Past, wishes: Wishes, places: command.Places) -> list[Checked]:
    checked = data.check(run, places) if wishes.data else []
    data.refuse_gone(checked)
    if wishes.code is None:
        data.link(checked, places)
        data.link_named(list(wishes.links), places)
    return checked


def _environment(
    run: Past, wishes: Wishes, folder: Path, places: command.Places, tell: Callable[[str], None]
) -> tuple[command.Places, list[str]]:
    requirements = run.content("requirements.txt")
    if requirements is None:
        raise ReproductionError(
            f"the packages of run {run.id} were not recorded, or their list is gone; give --no-env to use "
            "this interpreter's own"
        )
    wanted = packages.plan(requirements.decode("utf-8", "replace"), wishes.replaced)
    tell(f"making an environment of {len(wanted.lines)} packages with {places.python}")
    made = packages.create(places.python, folder / "env")
    missing = packages.install(places.python, made, wanted, folder, _sources(places.tree, wanted))
    return places._replace(python=str(made)), missing


def _sources(tree: Path, wanted: packages.Plan) -> dict[str, Path]:
    """Folders with the code of packages that no index has: this runcast, and the project itself."""
    import runcast

    found = {}
    own = Path(runcast.__file__).parent.parent
    installed = any(packages.normal(line).startswith("runcast==") for line in wanted.lines)
    if not installed:
        wanted.folders.setdefault("runcast", runcast.__version__)
        found["runcast"] = own
    name = _project(tree)
    if name in wanted.folders:
        found[name] = tree / "src" if (tree / "src").is_dir() else tree
    return found


def _project(tree: Path) -> str:
    """Name of the package that the code itself is; "" where it is none."""
    from runcast.config.files import read as read_toml

    with contextlib.suppress(Exception):  # no such file, or somebody else's idea of one
        project = (read_toml(tree / "pyproject.toml") or {})["project"]
        return packages.normal(str(project["name"]))
    return ""


def _told(run: Past, note: Path) -> Reproduction:
    return Reproduction(
        run=run.id,
        experiment=run.started.experiment,
        name=run.name,
        nested=run.started.parent is not None,
        dir=str(run.home),
        base=run.started.base,
        seeds=run.seeds,
        note=str(note),
    )


def _notes(run: Past, wishes: Wishes) -> list[str]:
    notes = []
    if run.status == "running":
        notes.append("the old run is still going on, so it may have more points by now")
    if run.part("git").get("diff"):
        notes.append(f"of the patch: {run.part('git')['diff']}")
    if not wishes.env:
        here = (run.content("requirements.txt") or b"").decode().splitlines()
        names = [line[2:].partition(",")[0] for line in here if line.endswith("a folder of that machine")]
        names = [name for name in names if not name.startswith("runcast==")]
        if names:
            notes.append(
                f"installed from a folder, so perhaps not as of the commit: {', '.join(names)}; without "
                "--no-env the project's own package is taken from the commit"
            )
    return notes


def _run(words: Sequence[str], folder: Path, variables: Mapping[str, str], stdout: int | None) -> int:
    try:
        child = subprocess.Popen(list(words), cwd=folder, env=dict(variables), stdout=stdout)
    except OSError as error:
        raise ReproductionError(
            f"cannot run {words[0]}: {error.strerror}; give the command after --"
        ) from error
    try:
        return child.wait()
    finally:
        if child.poll() is None:  # somebody wants us to stop
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE)
            child.kill()
            child.wait()


def _wait(home: Path, ids: Sequence[str]) -> list[str]:
    """The courier runs in the environment that is about to be removed: let it finish."""
    layout, begun = Layout(home), time.monotonic()
    waiting = list(ids)
    while True:
        waiting = [id for id in waiting if not report(layout, id).complete]
        spent = time.monotonic() - begun
        if not waiting or spent > _DELIVERY or (spent > _STARTING and not _carried(layout, waiting)):
            return [f"run {id} is not delivered yet: `runcast deliver` goes on with it" for id in waiting]
        time.sleep(0.1)


def _carried(layout: Layout, ids: Sequence[str]) -> bool:
    """Whether a courier works for one of these runs."""
    folders = [path for id in ids for path in layout.delivery(id, "any").parent.glob("*")]
    return any(DeliveryFolder(path).is_held() for path in folders)


def _outcome(
    run: Past,
    found: list[Past],
    code: int,
    checked: list[Checked],
    notes: list[str],
    kept: str | None,
    wishes: Wishes,
) -> Outcome:
    if not found:
        why = f"the script ended with exit code {code}" if code else "the script ended well"
        cause = f"{why} before it started a run of experiment {run.started.experiment!r}"
        return Outcome(run.id, None, code, run.status, None, [], [], checked, [cause], notes, kept)
    # A script that starts several alike, in a search say: the one with the most params in common.
    again = max(found, key=lambda past: sum(not row.differs for row in surroundings.params(run, past)))
    if len(found) > 1:
        notes = [*notes, f"the script made {len(found)} such runs; compared with the one whose params agree"]
    metrics = points.compare(run.points, again.points, wishes.rtol, wishes.atol, wishes.ignore)
    params = [row for row in surroundings.params(run, again) if row.differs]
    outcome = Outcome(
        run.id, again.id, code, run.status, again.status, metrics, params, checked, [], notes, kept
    )
    if outcome.ok:
        return outcome
    return msgspec.structs.replace(outcome, causes=_why(run, again, checked))


def _why(run: Past, again: Past, checked: list[Checked]) -> list[str]:
    ended = []
    if run.status != again.status:
        error = f": {again.error}" if again.error else ""
        ended = [f"the run ended otherwise: {run.status} → {again.status}{error}"]
    return [*ended, *causes(run, again, checked)]

"""Registered models: every version with its number, files, run, words, aliases and history; once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.cli import migrating
from runcast.migrate import Progress, ids
from runcast.migrate.contract import plan as foresee
from runcast.migrate.engine import Plan, migrate, prepare
from runcast.migrate.manifest import Folder, Manifest, ModelEntry
from runcast.migrate.page import render
from runcast.migrate.rollback import rollback
from runcast.migrate.sketch import Sketches
from runcast.migrate.verify import verify
from runcast.plugins import manager
from runcast.plugins.source import Selection
from runcast.registries.local import LocalRegistry

from .shelf import Shelf, a_version, moved
from .toy import a_run, bring


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The source that every address ``toy:`` leads to, with two runs and a model of three numbers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    source = Shelf()

    class Same(Shelf):
        def __new__(cls, *args: Any) -> Any:
            return source

    known = manager.source_class
    monkeypatch.setattr(
        "runcast.migrate.address.source_class", lambda name: Same if name == "toy" else known(name)
    )
    source.runs_ = {"a": a_run("a"), "b": a_run("b")}
    source.put(
        "net",
        a_version(1, ref="a", aliases=["old"], tags={"k": "v"}, metrics={"acc": 0.5}),
        a_version(3, ref="b", aliases=["best"], description="the third", stage="production"),
        description="a net", tags={"team": "vision"},
        events=[moved(1, "best", 1, None), moved(2, "best", 3, 1, note="better")],
    )  # fmt: skip
    return source


def there(folder: str = "there") -> Any:
    """The destination's registry, as a user opens it."""
    return runcast.registry("local", config={"dir": folder})


def test_a_model_arrives_whole(shelf: Shelf) -> None:
    """Numbers with their gap, files by their content, runs as they are called here, words and history."""
    plan, progress = bring("local:there")
    assert (progress.models, progress.notes) == (1, [])
    with there() as registry:
        first, third = registry.versions("net")
        assert (first.version, third.version) == (1, 3)
        assert (first.run, third.run) == (plan.manifest.runs["a"].run, plan.manifest.runs["b"].run)
        assert (first.tags, first.metrics, third.description) == ({"k": "v"}, {"acc": 0.5}, "the third")
        assert (first.aliases, third.aliases) == (["old"], ["best", "production"])
        assert third.stage == "production"
        assert first.created == 1_700_000_000_000_000_000
        folder = registry.download("net:v3", "down")
        assert (folder / "sub" / "w.bin").read_text() == "weights of net:v3"
        moves = [(e.alias, e.previous, e.version, e.who, e.note) for e in registry.history("net")]
    assert ("best", None, 1, "ada", "") in moves
    assert ("best", 1, 3, "ada", "better") in moves
    assert all(result.ok for result in verify(plan))
    page = render(plan, list(verify(plan)), Sketches())
    assert "Registered models" in page
    assert "1 → 1, 3 → 3" in page
    rows = {
        row["source"]: row["destination"]
        for row in ids.rows(plan.manifest, plan.folder.layout)
        if row["kind"] != "run"
    }
    assert rows == {"net:1": "net:1", "net:3": "net:3"}


def test_a_second_time_brings_what_is_new(shelf: Shelf) -> None:
    """Nothing where nothing is new; then one version, and the alias that moved and the one that is gone."""
    bring("local:there")
    with there() as registry:
        before = registry.history("net")
        bring("local:there")
        assert registry.history("net") == before
        one, three = shelf.models["net"].versions
        shelf.put(
            "net",
            one.model_copy(update={"aliases": []}),
            three.model_copy(update={"aliases": []}),
            a_version(4, aliases=["best"]),
        )
        bring("local:there")
        assert [(v.version, v.aliases) for v in registry.versions("net")] == [
            (1, []), (3, ["production"]), (4, ["best"]),
        ]  # fmt: skip


def test_what_is_taken_back_at_the_source_goes(shelf: Shelf) -> None:
    """A tag and a description that came from there; what somebody changed in the destination stays."""
    one, three = shelf.models["net"].versions
    shelf.put("net", one.model_copy(update={"tags": {"k": "v", "gone": "1", "mine": "1"}}), three)
    bring("local:there")
    with there() as registry:
        registry.tag("net:v1", {"mine": "2", "new": "3"})
        shelf.put("net", one, three.model_copy(update={"description": ""}))
        plan, _ = bring("local:there", on_conflict="add")
        first, third = registry.versions("net")
        assert first.tags == {"k": "v", "mine": "2", "new": "3"}
        assert third.description == ""
        assert plan.manifest.models["net"].state == "delivered"


@pytest.mark.slow
def test_an_edited_model_is_left_alone(shelf: Shelf) -> None:
    """Until somebody asks for it; a rollback refuses it, too."""
    plan, _ = bring("local:there")
    with there() as registry:
        registry.tag("net:v1", {"mine": "yes"})
        one, three = shelf.models["net"].versions
        shelf.put("net", one, three, a_version(4))
        plan, _ = bring("local:there")
        assert plan.manifest.models["net"].state == "conflict"
        assert len(registry.versions("net")) == 2
        results = {r.source: r for r in rollback(Path("rc"), plan.manifest.id)}
        assert (results["net"].ok, "edited" in results["net"].reason) == (False, True)
        plan, _ = bring("local:there", on_conflict="add")
        assert [v.version for v in registry.versions("net")] == [1, 3, 4]
        assert registry.get("net:v1").tags == {"k": "v", "mine": "yes"}


def test_somebody_elses_versions_stay(shelf: Shelf, tmp_path: Path) -> None:
    """A model of that name was there: numbers differ, its alias is not taken, a rollback leaves it."""
    (tmp_path / "w").write_text("w")
    with there() as registry:
        registry.register("net", tmp_path / "w", aliases=["best"])
        plan, _ = bring("local:there")
        entry = plan.manifest.models["net"]
        assert (entry.state, entry.versions) == ("failed", {1: 2, 3: 3})
        assert "'best' stays at version 1" in entry.reason
        assert registry.get("net@best").version == 1
        assert [d.what for r in verify(plan) for d in r.differences] == ["alias"]
        assert all(r.ok for r in rollback(Path("rc"), plan.manifest.id))
        assert [(v.version, v.aliases) for v in registry.versions("net")] == [(1, ["best"])]


@pytest.mark.slow
def test_a_version_whose_files_are_gone(shelf: Shelf) -> None:
    """Is said; the others come with their numbers, and it comes when its files are there again."""
    shelf.gone.add("net:1")
    plan, _ = bring("local:there")
    entry = plan.manifest.models["net"]
    assert (entry.state, list(entry.versions)) == ("failed", [3])
    assert "version 1 has not come: the files of net:v1 are gone" in entry.reason
    shelf.gone.clear()
    plan, _ = bring("local:there")
    assert plan.manifest.models["net"].versions == {3: 3, 1: 4}
    assert plan.manifest.models["net"].state == "delivered"


def test_a_version_waits_for_its_run(shelf: Shelf) -> None:
    """No version points to a run that is not there, and none overtakes another."""
    shelf.breaks = {"a": 2}
    plan, _ = bring("local:there")
    entry = plan.manifest.models["net"]
    assert (entry.state, entry.versions) == ("failed", {})
    assert "its run a has not come" in entry.reason
    shelf.breaks = {}
    plan, _ = bring("local:there")
    assert plan.manifest.models["net"].versions == {1: 1, 3: 3}


@pytest.mark.slow
def test_some_runs_only(shelf: Shelf) -> None:
    """A model stays behind while a run of it was not asked for, which is said."""
    plan, progress = bring("local:there", selection=Selection(runs=("a",)))
    assert not plan.manifest.models
    assert "net stays behind: it has a version of run b" in progress.notes[0]
    plan, progress = bring("local:there", selection=Selection(runs=("b",)))
    assert (progress.notes, progress.models) == ([], 1)


@pytest.mark.slow
def test_where_there_is_no_registry(shelf: Shelf) -> None:
    """The runs come, and it is said what does not; before, by the plan."""
    for dest, why in (("tensorboard:./tb", "has no registry"), ("wandb:./wandb", "at a server only")):
        foreseen = [f for f in foresee(prepare("toy:shelf", dest)) if f.kind != "run"]
        assert [(f.name, f.kinds, f.loses) for f in foreseen] == [("net", {"versions": 2}, True)]
        assert why in foreseen[0].less[0].note
        _, progress = bring(dest)
        assert progress.delivered == 2
        assert "1 registered models stay behind" in progress.notes[0]
        assert why in progress.notes[0]
    assert not [f for f in foresee(prepare("toy:shelf", "local:there")) if f.kind != "run" and f.loses]


class Killed(BaseException):
    """The process died here."""


@pytest.mark.slow
def test_killed_between_any_two_steps(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command comes to the same end: nothing missing, nothing twice."""

    def ended(folder: str) -> tuple[Plan, str]:
        plan = prepare("toy:shelf", f"local:{folder}")
        assert isinstance(migrate(plan), Progress)
        with there(folder) as registry:
            versions = [v.model_dump(exclude={"source", "identity"}) for v in registry.versions("net")]
            moves = [(e.alias, e.previous, e.version, e.who) for e in registry.history("net")]
        return plan, json.dumps([versions, sorted(map(str, moves))])

    _, clean = ended("clean")
    calls, last = [0], [0]

    def counted(name: str) -> None:
        original = getattr(LocalRegistry, name)

        def call(self: Any, *args: Any, **more: Any) -> Any:
            calls[0] += 1
            if calls[0] == last[0]:
                raise Killed
            done = original(self, *args, **more)
            calls[0] += 1
            if calls[0] == last[0]:  # it is done, and nobody heard of it
                raise Killed
            return done

        monkeypatch.setattr(LocalRegistry, name, call)

    for name in ("register", "update", "move"):
        counted(name)
    for point in range(1, 20):
        calls[0], last[0] = 0, point
        try:
            migrate(prepare("toy:shelf", f"local:killed{point}"))
        except Killed:
            pass
        else:
            break
        last[0] = 0
        plan, found = ended(f"killed{point}")
        assert found == clean, f"killed at {point}"
        assert plan.manifest.models["net"].state == "delivered"
    assert point > 10


def test_taken_back_and_brought_again(shelf: Shelf) -> None:
    """Nothing is left of the versions, and they can come again."""
    plan, _ = bring("local:there")
    assert all(r.ok for r in rollback(Path("rc"), plan.manifest.id))
    with there() as registry:
        assert registry.names() == []
        plan, _ = bring("local:there")
        assert [(v.version, v.aliases) for v in registry.versions("net")] == [
            (1, ["old"]), (3, ["best", "production"]),
        ]  # fmt: skip
    assert all(result.ok for result in verify(plan))


def test_a_manifest_with_hostile_names_is_read_again(tmp_path: Path) -> None:
    """Numbers of versions are keys, and a name may be no valid Unicode."""
    entry = ModelEntry(source="n", name="n\udc80", versions={1: 2})
    kept = Manifest(id="a", source="s", destination="d", created=1, models={"n": entry})
    folder = Folder(tmp_path, "a")
    folder.save(kept)
    assert folder.load() == kept
    assert migrating.plain(kept)["models"]["n"]["versions"] == {"1": 2}

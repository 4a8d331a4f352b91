"""Runs as the public functions give them: lists, one run, its points, texts and artifacts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from runcast import catalog
from runcast.errors import FormatError, UsageError
from runcast.journal.frame import Header, frame_header
from runcast.records import Artifact, FileRef, Lost, Media, Metrics

if TYPE_CHECKING:
    from journals import Folder

T = 1_700_000_000_000_000_000
HOSTILE = "\x1b[31m\x00\ud800 [bold]\u2028\u202e" + "é" * 5


def test_an_empty_folder_lists_nothing_and_stays_empty(rc: Folder) -> None:
    """Looking makes no files."""
    assert list(catalog.runs(dir=rc.dir)) == []
    assert not rc.dir.exists()


def test_runs_that_no_courier_delivered_are_indexed_when_asked(rc: Folder) -> None:
    """The journals are the truth: a run that was logged without the local backend is listed too."""
    rc.run("r1", params={"lr": 0.1}, metrics={"loss": [2.0, 1.0]})

    (run,) = catalog.runs(dir=rc.dir)

    assert (run.id, run.params, run.metrics["loss"].last) == ("r1", {"lr": 0.1}, 1.0)
    assert (run.duration, run.status) == (90.0, "finished")


def test_a_running_run_that_no_courier_delivers_is_looked_at_again(rc: Folder) -> None:
    """Each listing shows it as its journal has it by then."""
    rc.run("r1", status=None, metrics={"loss": [2.0]})
    (before,) = catalog.runs(dir=rc.dir)

    rc.write("r1", [Metrics(time=T + 10**9, step=1, values={"loss": 1.0})])

    (after,) = catalog.runs(dir=rc.dir)
    assert (before.status, before.points) == ("running", 1)
    assert (after.points, after.metrics["loss"].last) == (2, 1.0)


def test_without_a_folder_the_configuration_says_where(rc: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every command."""
    rc.run("r1")
    monkeypatch.setenv("RUNCAST_DIR", str(rc.dir))

    assert [run.id for run in catalog.runs()] == ["r1"]
    assert catalog.run("r1").home == str(rc.dir)


def test_a_run_answers_to_id_prefix_and_name(rc: Folder) -> None:
    """The exact id first, then the beginning of one, then a name, with its experiment or without."""
    rc.run("abc1", name="first")
    rc.run("abd2", name="second")
    rc.run("first", name="abc")

    for asked, id in [("abc1", "abc1"), ("abd", "abd2"), ("first", "first"), ("digits/second", "abd2")]:
        assert catalog.run(asked, dir=rc.dir).id == id


def test_an_unknown_run_is_refused_with_near_ones(rc: Folder) -> None:
    """Also one that is ambiguous."""
    rc.run("abc1", name="sgd-baseline")
    rc.run("abd2", name="sgd-baseline")

    with pytest.raises(UsageError, match=r"no run 'sgd-basline' in .*did you mean sgd-baseline\?"):
        catalog.run("sgd-basline", dir=rc.dir)
    with pytest.raises(UsageError, match=r"2 runs answer to 'sgd-baseline': .*abc1.*give one of these ids"):
        catalog.run("sgd-baseline", dir=rc.dir)
    with pytest.raises(UsageError, match="list them with `runcast runs`"):
        catalog.run("", dir=rc.dir)


def test_history_streams_points_from_the_journal(rc: Folder) -> None:
    """In the order of logging, with their own steps and times."""
    rc.run("r1", metrics={"loss": [3.0, 2.0], "acc": [1]})
    run = catalog.run("r1", dir=rc.dir)

    assert run.history("loss") == {"loss": [(0, T, 3.0), (1, T + 10**9, 2.0)]}
    assert run.history() == {"loss": [(0, T, 3.0), (1, T + 10**9, 2.0)], "acc": [(0, T, 1)]}
    with pytest.raises(UsageError, match="no metric 'los'; it has: acc, loss"):
        run.history("los")


def test_history_of_a_run_whose_journal_is_gone_says_so(rc: Folder) -> None:
    """The summary is still there, the points are not; never an empty curve in silence."""
    rc.run("r1", metrics={"loss": [3.0]})
    run = catalog.run("r1", dir=rc.dir)
    for segment in rc.layout.journal("r1").iterdir():
        segment.unlink()

    with pytest.raises(UsageError, match="points of run r1 are gone"):
        run.history("loss")


def test_rebuild_keeps_what_the_journals_no_longer_tell(rc: Folder) -> None:
    """A journal that was cleared away does not take the run out of the catalog."""
    rc.run("r1", metrics={"loss": [3.0]})
    rc.run("r2")
    rc.deliver("r1")
    for segment in rc.layout.journal("r1").iterdir():
        segment.unlink()

    done = catalog.rebuild(rc.dir)

    assert (done.runs, done.kept) == (["r2"], ["r1"])
    assert catalog.run("r1", dir=rc.dir).metrics["loss"].last == 3.0


def test_rebuild_names_runs_that_it_cannot_read(rc: Folder, caplog: pytest.LogCaptureFixture) -> None:
    """A segment of a newer format stops that run only."""
    rc.run("r1")
    folder = rc.layout.journal("r2")
    folder.mkdir(parents=True)
    newer = Header(run="r2", writer="0" * 16, min_reader=99)
    (folder / f"{newer.writer}-0000.rcj").write_bytes(frame_header(newer))

    done = catalog.rebuild(rc.dir)

    assert (done.runs, list(done.skipped)) == (["r1"], ["r2"])
    assert "99" in done.skipped["r2"]
    assert [run.id for run in catalog.runs(dir=rc.dir)] == ["r1"]
    assert "run r2 is not listed" in caplog.text


def test_a_newer_catalog_is_refused_untouched(rc: Folder) -> None:
    """Reading asks for an upgrade instead of guessing."""
    rc.run("r1")
    rc.deliver("r1")
    rc.sql("PRAGMA user_version = 99")
    before = rc.layout.catalog.read_bytes()

    with pytest.raises(FormatError, match="upgrade"):
        catalog.runs(dir=rc.dir)

    assert rc.layout.catalog.read_bytes() == before


def test_texts_media_and_losses(rc: Folder) -> None:
    """What is asked for one run alone."""
    picture = FileRef("p.png", "ab" * 32, 5)
    rc.run(
        "r1",
        Media(time=T + 2, key="b", step=2, type="image", file=picture, caption="cat"),
        Media(time=T + 1, key="a", step=1, type="text", text=HOSTILE),
        Lost(time=T, key="k", reason="no number", count=3, detail="'x'"),
    )
    run = catalog.run("r1", dir=rc.dir)

    assert [(m.key, m.step, m.text) for m in run.texts()] == [("a", 1, HOSTILE)]
    assert [(m.key, m.file, m.caption) for m in run.media()] == [("a", None, None), ("b", picture, "cat")]
    assert [(loss.key, loss.count, loss.detail) for loss in run.losses()] == [("k", 3, "'x'")]


def artifact(name: str, content: str, time: int, *aliases: str) -> Artifact:
    """An artifact of one file."""
    files = [FileRef("f", content * 64, 3)]
    return Artifact(
        time=T + time, name=name, type="model", files=files, digest=content * 64, aliases=list(aliases)
    )


def test_artifact_versions_count_contents_and_aliases_move(rc: Folder) -> None:
    """Per experiment and name: the same content is the same version; an alias is where it was put last."""
    rc.run("r1", artifact("m", "a", 1, "best"), artifact("m", "b", 2), artifact("other", "a", 2))
    rc.run("r2", artifact("m", "a", 3, "again"), artifact("m", "c", 4, "best"))
    rc.run("r3", artifact("m", "d", 5, "best"), experiment="elsewhere")

    seen = {
        run.id: [(a.name, a.version, a.aliases) for a in run.artifacts] for run in catalog.runs(dir=rc.dir)
    }

    assert seen == {
        "r1": [("m", 0, ["again"]), ("m", 1, []), ("other", 0, ["latest"])],
        "r2": [("m", 0, ["again"]), ("m", 2, ["best", "latest"])],
        "r3": [("m", 0, ["best", "latest"])],
    }


def test_hostile_names_and_values_come_back(rc: Folder) -> None:
    """NUL, lone surrogates, escapes and separators, in every place that takes text."""
    rc.run(
        "r1",
        name=HOSTILE,
        experiment=HOSTILE,
        params={HOSTILE: HOSTILE, "$x": {"$float": HOSTILE}},
        tags={HOSTILE: HOSTILE},
        metrics={HOSTILE: [1.5]},
    )

    (run,) = catalog.runs(HOSTILE, where=f"tags.'{HOSTILE}' = '{HOSTILE}'", dir=rc.dir)

    assert (run.name, run.experiment, run.tags) == (HOSTILE, HOSTILE, {HOSTILE: HOSTILE})
    assert run.params == {HOSTILE: HOSTILE, "$x": {"$float": HOSTILE}}
    assert [value for _, _, value in run.history(HOSTILE)[HOSTILE]] == [1.5]


def test_to_dicts_and_to_pandas(rc: Folder) -> None:
    """Plain values, and a frame with times as times and a column per param, metric and tag."""
    rc.run("r1", params={"lr": 0.1}, tags={"task": "cls"}, metrics={"loss": [2.0, 1.0]})
    rc.run("r2", start=T + 10**10, params={"opt": "sgd"}, status=None)
    found = catalog.runs(dir=rc.dir, sort="id")

    first, second = found.to_dicts()
    frame = found.to_pandas()

    assert (first["params"], first["metrics"]["loss"]["min"], second["end"]) == ({"lr": 0.1}, 1.0, None)
    assert frame["metrics.loss"].tolist()[0] == 1.0
    assert frame["start"].tolist()[0].year == 2023
    assert frame["end"].isna().tolist() == [False, True]
    assert list(catalog.runs("none", dir=rc.dir).to_pandas()["id"]) == []


def test_to_pandas_without_pandas_names_the_mend(rc: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no dependency, so its absence is explained."""
    rc.run("r1")
    found = catalog.runs(dir=rc.dir)
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(UsageError, match="pip install pandas"):
        found.to_pandas()


def test_a_list_of_runs_takes_few_queries(rc: Folder) -> None:
    """Ten times as many runs take no more statements: nothing is asked run by run."""
    from runcast.catalog import reader
    from runcast.catalog.database import connect

    for i in range(30):
        rc.run(f"r{i}", params={"a": 1}, metrics={"b": [1]}, status="finished" if i % 2 else None)
    catalog.rebuild(rc.dir)
    connection = connect(rc.layout.catalog)
    counts = []
    for size in (3, 30):
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        assert len(reader.infos(connection, range(1, size + 1), "")) == size
        counts.append(len(statements))
    connection.close()

    assert counts[0] == counts[1] <= 6


def test_a_long_rebuild_shows_its_progress(
    rc: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, where that is a terminal; every run is still indexed once."""
    for i in range(3):
        rc.run(f"r{i}")
    monkeypatch.setattr("runcast.catalog.index.PROGRESS_AFTER", -1.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")

    done = catalog.rebuild(rc.dir)

    assert done.runs == ["r0", "r1", "r2"]
    assert "indexing runs" in capsys.readouterr().err

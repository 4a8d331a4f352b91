"""Runs as one archive: everything comes back from it, and a stranger's reaches nothing outside."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

import runcast
from runcast.cli.app import run as cli
from runcast.errors import ConfigError, UsageError
from runcast.journal import Layout
from runcast.migrate import archive, migrate, prepare
from runcast.migrate.archive import export
from runcast.migrate.verify import verify
from runcast.plugins.source import Selection
from runcast.sources.local import LocalSource

LOCAL = {"delivery": "thread"}


@pytest.fixture
def made(project: Path) -> dict[str, str]:
    """Two runs, one nested in the other, with media, an artifact and a registered version; name → id."""
    (project / "data").mkdir()
    (project / "data" / "a.bin").write_bytes(b"a" * 3_000_000)  # large enough to be held, not read at once
    (project / "data" / "b.txt").write_text("b")
    with runcast.start("e", name="outer", params={"lr": 0.1}, backends=["local"], config=LOCAL) as outer:
        outer.log({"loss": float("nan"), "n": 2**60}, step=3)
        outer.log({"page": runcast.Html("<p>x</p>")})
        outer.log_artifact("data", name="data")
        with outer.child("inner", backends=["local"], config=LOCAL) as inner:
            inner.log({"loss": 0.5})
    registry = runcast.registry("local")
    registry.register("m", "data", run=outer.id, aliases=["best"])
    return {"outer": outer.id, "inner": inner.id}


def test_everything_comes_back(made: dict[str, str], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, files and registry of an archive arrive elsewhere and are verified; the archive is only read."""
    done = export(project / "runs.zip")
    assert (sorted(done.runs), done.models) == (sorted(made.values()), ["m"])
    assert (done.missing, done.problems) == ([], {})
    before = hashlib.sha256((project / "runs.zip").read_bytes()).hexdigest()
    for path in sorted(Layout(project / ".runcast").blobs.rglob("*")):
        if path.is_file():
            path.unlink()  # only the archive has them now

    plan = prepare("local:runs.zip", "local:there")
    result = migrate(plan)
    assert (result.delivered, result.failed) == (2, 0)
    assert all(found.ok for found in verify(plan))
    runs = {run.name: run for run in runcast.runs(dir="there")}
    assert (runs["outer"].params, runs["inner"].parent) == ({"lr": 0.1}, runs["outer"].id)
    with runcast.start("e", backends=["local"], config={"delivery": "later", "dir": "there"}) as reader:
        folder = reader.use_artifact("data").path
        assert (folder / "a.bin").read_bytes() == b"a" * 3_000_000
        assert (folder / "b.txt").read_text() == "b"
    monkeypatch.setenv("RUNCAST_DIR", "there")
    version = runcast.registry("local").get("m@best")
    assert (version.version, version.run, sorted(version.files)) == (1, runs["outer"].id, ["a.bin", "b.txt"])
    assert hashlib.sha256((project / "runs.zip").read_bytes()).hexdigest() == before


def test_an_archive_unpacked_by_anybody_is_a_folder_of_runs(made: dict[str, str], project: Path) -> None:
    """Its layout is that of a runcast directory."""
    export(project / "runs.zip")
    with zipfile.ZipFile(project / "runs.zip") as opened:
        opened.extractall(project / "unpacked")

    assert {run.name for run in LocalSource("unpacked").runs(Selection())} == set(made)
    assert (project / "runs.zip").stat().st_mode & 0o077 == 0


def test_the_command_takes_what_was_asked_for(
    made: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run by its id, without the registry; an existing file and unknown ids are refused, in words."""
    with pytest.raises(SystemExit) as left:
        cli(["export", "one.zip", "--run", made["inner"], "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (left.value.code, said["runs"], said["files"], said["models"]) == (0, [made["inner"]], 0, [])
    assert [run.id for run in LocalSource("one.zip").runs(Selection())] == [made["inner"]]

    for arguments, why in ((["one.zip"], "exists"), (["two.zip", "--run", "nope"], "no run 'nope'")):
        with pytest.raises(SystemExit) as left:
            cli(["export", *arguments])
        assert left.value.code == 2
        assert why in capsys.readouterr().err


def test_what_is_gone_is_named(
    made: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that somebody deleted is told, with exit code 1; the rest is exported."""
    page = hashlib.sha256(b"b").hexdigest()
    Layout(project / ".runcast").blobs.joinpath(page[:2], page).unlink()

    with pytest.raises(SystemExit) as left:
        cli(["export", "runs.zip"])
    assert left.value.code == 1
    assert f"gone before: {made['outer']}: {page}" in capsys.readouterr().out.replace("\n", "")
    assert len(list(LocalSource("runs.zip").runs(Selection()))) == 2


def test_a_run_that_goes_on_is_there_as_far_as_it_came(project: Path) -> None:
    """It is exported while it is written, and still running in the archive."""
    run = runcast.start("e", name="live", backends=["local"], config=LOCAL)
    run.log({"loss": 1.0})
    export(project / "runs.zip")
    run.finish()

    (found,) = LocalSource("runs.zip").runs(Selection())
    assert (found.name, found.status) == ("live", "running")


def test_a_full_disk_leaves_nothing_behind(
    made: dict[str, str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half archive, and no temporary file."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        export(project / "runs.zip")
    assert not list(project.glob("*.zip*")) + list(project.glob(".*.tmp"))


def test_a_strangers_archive_stays_inside(made: dict[str, str], project: Path) -> None:
    """Members that lead out, links and foreign names are passed over; the folder is private, and goes."""
    export(project / "runs.zip")
    outside = project / "outside"
    with zipfile.ZipFile(project / "runs.zip", "a") as forged:
        for name in (
            "../outside",
            "/" + str(outside),
            "runs/../journal/a.rcj",
            "runs/a/../../journal/b.rcj",
            "runs/x/journal/../../../outside",
            "blobs/held/../../outside",
            "alive/x",
        ):
            forged.writestr(name, b"gotcha")
        link = zipfile.ZipInfo("runs/x/journal/c.rcj")
        link.external_attr = 0o120777 << 16
        forged.writestr(link, b"/etc/passwd")

    source = LocalSource("runs.zip")
    found = list(source.runs(Selection()))
    assert {run.name for run in found if not run.problem} == set(made)
    root = source._layout.root
    names = {path.name for path in root.rglob("*")}
    assert not names & {"outside", "alive", "a.rcj", "b.rcj"}
    assert not any(path.is_symlink() for path in root.rglob("*"))
    assert root.stat().st_mode & 0o077 == 0
    assert not outside.exists()
    source.close()
    assert not root.exists()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused(project: Path, content: bytes) -> None:
    """With a word on what makes one."""
    (project / "x.zip").write_bytes(content)
    with pytest.raises(ConfigError, match="runcast export"):
        list(LocalSource("x.zip").runs(Selection()))


def test_a_damaged_archive_is_told_and_nothing_else_happens(made: dict[str, str], project: Path) -> None:
    """Bytes changed in the middle: the source's own error, never wrong records."""
    export(project / "runs.zip")
    whole = bytearray((project / "runs.zip").read_bytes())
    for at in range(40, 400):
        whole[at] ^= 0xFF
    (project / "runs.zip").write_bytes(whole)

    with pytest.raises((ConfigError, runcast.RuncastError)):
        list(LocalSource("runs.zip").runs(Selection()))


def test_an_archive_is_not_exported_again(made: dict[str, str], project: Path) -> None:
    """It is a file already."""
    export(project / "runs.zip")
    with pytest.raises(UsageError, match="is an archive already"):
        export(project / "again.zip", folder=project / "runs.zip")

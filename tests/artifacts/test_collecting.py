"""What `Run.log_artifact` takes in, as a person finds it afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import runcast
from runcast import catalog
from runcast.journal import Blobs

MB = 1 << 20


def lost(run: runcast.Run) -> str:
    """Every reason why something was not kept, as `runcast show` prints them."""
    run.finish()
    return " | ".join(loss.reason for loss in catalog.run(run.id).losses())


def content(artifact: runcast.artifacts.StoredArtifact) -> dict[str, bytes]:
    """The files of an artifact as a folder shows them."""
    root = artifact.path
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("immutable", [False, True])
@pytest.mark.parametrize("size", [10, 3 * MB])
def test_a_file_is_delivered_as_it_was_at_the_call(run: runcast.Run, size: int, immutable: bool) -> None:
    """Replaced, rewritten (where it may be) and deleted right after; small and large."""
    before = os.urandom(size)
    Path("w.bin").write_bytes(before)
    run.log_artifact("w.bin", immutable=immutable)
    if not immutable:
        with Path("w.bin").open("r+b") as file:
            file.write(b"other")
    Path("w.bin").unlink()
    Path("w.bin").write_bytes(b"new")

    assert content(run.use_artifact("w.bin")) == {"w.bin": before}


def test_several_sources_stand_beside_each_other(run: runcast.Run) -> None:
    """Files by their names, folders as folders, references by the end of their address."""
    Path("data/sub").mkdir(parents=True)
    Path("data/sub/a.txt").write_text("a")
    Path("readme.md").write_text("r")
    run.log_artifact(["data", "readme.md", "s3://bucket/deep/train.parquet"], name="all", type="dataset")

    artifact = run.use_artifact("all", type="dataset")

    assert content(artifact) == {"data/sub/a.txt": b"a", "readme.md": b"r"}
    assert [file.uri for file in artifact.files if file.path == "train.parquet"] == [
        "s3://bucket/deep/train.parquet"
    ]


def test_of_two_files_of_one_name_the_first_stays(run: runcast.Run) -> None:
    """The second is named, the rest is kept."""
    for folder, text in (("one", "1"), ("two", "2")):
        Path(folder).mkdir()
        Path(folder, "same.txt").write_text(text)
    run.log_artifact(["one/same.txt", "two/same.txt", "missing.txt"], name="both")

    assert content(run.use_artifact("both")) == {"same.txt": b"1"}
    reasons = lost(run)
    assert "same.txt: the artifact has a file of this name already" in reasons
    assert "'missing.txt': No such file" in reasons


def test_globs_choose_files_of_a_folder(run: runcast.Run) -> None:
    """`*` matches folders too, so one glob is enough for a kind of file."""
    for path in ("a.py", "sub/b.py", "sub/b.pyc", "notes.txt"):
        Path("code", path).parent.mkdir(parents=True, exist_ok=True)
        Path("code", path).write_text(path)
    run.log_artifact("code", include=["*.py", "*.pyc"], exclude="sub/*.pyc")

    assert set(content(run.use_artifact("code"))) == {"a.py", "sub/b.py"}


def test_nothing_that_matches_is_said(run: runcast.Run) -> None:
    """An empty artifact is no artifact."""
    Path("empty").mkdir()
    run.log_artifact("empty")

    assert "the artifact is empty" in lost(run)
    with pytest.raises(runcast.UsageError, match="no artifact 'empty'"):
        run.use_artifact("empty")


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\..\\b", "/abs", "..", "", "a\nb"])
def test_a_name_that_is_a_path_is_made_plain(run: runcast.Run, name: str) -> None:
    """It is kept, and said what it is called now."""
    Path("f.txt").write_text("x")
    run.log_artifact("f.txt", name=name)
    run.finish()

    (artifact,) = catalog.run(run.id).artifacts
    assert not set(artifact.name) & set("/\\\n")
    assert artifact.name.strip(".")
    assert f"kept as {artifact.name!r}" in lost(run)


def test_names_inside_that_lead_out_are_left_out(run: runcast.Run) -> None:
    """On another system a backslash is a folder: that file is named, the rest is kept."""
    Path("odd").mkdir()
    Path("odd", "a\\..\\b").write_text("x")
    Path("odd", "good").write_text("g")
    run.log_artifact("odd")

    assert content(run.use_artifact("odd")) == {"good": b"g"}
    assert "a backslash in the name is a folder on Windows" in lost(run)


def test_unreadable_parts_are_named_and_the_rest_is_kept(
    run: runcast.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file and a folder without permission (as root, by a disk that refuses), and a pipe."""
    Path("mixed/closed").mkdir(parents=True)
    for name in ("good", "bad", "closed/inner"):
        Path("mixed", name).write_text(name)
    os.mkfifo("mixed/pipe")
    real_scan, real_put = os.scandir, Blobs.put_file

    def scan(path: Path) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    def put(blobs: Blobs, source: Path) -> tuple[str, int]:
        if source.name == "bad":
            raise PermissionError(13, "Permission denied")
        return real_put(blobs, source)

    with monkeypatch.context() as disk:
        disk.setattr(os, "scandir", scan)
        disk.setattr(Blobs, "put_file", put)
        run.log_artifact("mixed")

    assert content(run.use_artifact("mixed")) == {"good": b"good"}
    reasons = lost(run)
    for part in ("bad: Permission denied", "closed: Permission denied", "pipe: is no plain file"):
        assert part in reasons


def rewriting(monkeypatch: pytest.MonkeyPatch, then: list[bytes]) -> None:
    """Somebody writes other contents into a file each time it has been read."""
    real = Blobs.put_file

    def put(blobs: Blobs, source: Path) -> tuple[str, int]:
        taken = real(blobs, source)
        if then:
            stamp = source.stat().st_mtime_ns
            source.write_bytes(then.pop(0))
            os.utime(source, ns=(stamp, stamp + 10**9))
        return taken

    monkeypatch.setattr(Blobs, "put_file", put)


def test_a_file_that_shrinks_while_it_is_read_is_read_again(
    run: runcast.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is the file as it was after that, whole."""
    Path("log.txt").write_text("a long first text")
    rewriting(monkeypatch, [b"short"])
    run.log_artifact("log.txt")

    assert content(run.use_artifact("log.txt")) == {"log.txt": b"short"}
    assert lost(run) == ""


def test_a_file_that_never_rests_is_kept_and_doubted(
    run: runcast.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better a mixture, and a word about it, than nothing."""
    Path("log.txt").write_text("0")
    rewriting(monkeypatch, [b"1", b"2", b"3", b"4"])
    run.log_artifact("log.txt")

    assert set(content(run.use_artifact("log.txt"))) == {"log.txt"}
    assert "log.txt: changed while it was read" in lost(run)


def test_a_log_that_grows_is_kept_up_to_the_call(run: runcast.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever appends does no harm."""
    Path("log.txt").write_text("first")
    rewriting(monkeypatch, [b"first and more"])
    run.log_artifact("log.txt")

    assert content(run.use_artifact("log.txt")) == {"log.txt": b"first"}
    assert lost(run) == ""


def test_a_gigabyte_is_never_whole_in_memory(run: runcast.Run) -> None:
    """256 MiB of a sparse file, copied: the process grows by less than a tenth of that."""
    import resource

    with Path("big.bin").open("wb") as file:
        file.truncate(256 * MB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run.log_artifact("big.bin")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024

    assert grown < 25 * MB
    assert run.use_artifact("big.bin").files[0].size == 256 * MB


@pytest.mark.parametrize("path", [None, 3, b"x", ["a", None], "\0"])
def test_nonsense_raises_nothing(run: runcast.Run, path: object) -> None:
    """A call that cannot be understood says so and lets training go on."""
    run.log_artifact(path)  # type: ignore[arg-type]  # on purpose

    assert lost(run) != ""


class Hostile:
    """A path of which nothing can be read."""

    def __fspath__(self) -> str:
        """Raise what no library of paths would."""
        raise ZeroDivisionError("no path")


def test_hostile_arguments_raise_nothing(run: runcast.Run) -> None:
    """What a script's own objects raise is told by the name of the call; an alias may be of any type."""
    Path("a.txt").write_text("a")
    run.log_artifact(Hostile(), name="h")
    run.log_artifact("a.txt", name="odd", aliases=7)  # type: ignore[arg-type]  # on purpose

    assert "log_artifact met ZeroDivisionError: no path" in lost(run)
    assert catalog.artifacts(name="odd")[0].aliases == ["7", "latest"]


def test_strict_raises_what_else_is_warned_of(begin: object) -> None:
    """For tests of scripts."""
    run = begin(strict=True)  # type: ignore[operator]  # the fixture
    with pytest.raises(runcast.UsageError, match="No such file"):
        run.log_artifact("missing.bin")

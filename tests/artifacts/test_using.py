"""`Run.use_artifact`: versions, aliases, digests, lineage and downloads, with no server at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import runcast
from runcast import catalog
from runcast.errors import JournalError
from runcast.journal import Blobs, JournalWriter, Layout
from runcast.records import Artifact, FileRef, RunStarted

Begin = Callable[..., runcast.Run]


def write(text: str, name: str = "f.txt") -> str:
    """A file with this text; gives its path."""
    Path(name).write_text(text)
    return name


def test_versions_count_contents_and_aliases_move(begin: Begin) -> None:
    """Over the runs of an experiment; the same content again is the same version."""
    one, two = begin(), begin()
    one.log_artifact(write("a"), "data", aliases=["best", "first"])
    two.log_artifact(write("b"), "data", aliases="best")
    one.log_artifact(write("a"), "data", metadata={"again": True})

    seen = {
        wanted: (a.version, a.path.joinpath("f.txt").read_text(), a.run == one.id)
        for wanted in ("data", "data:latest", "data:best", "data:first", "data:v1")
        for a in [two.use_artifact(wanted)]
    }

    assert seen == {
        "data": ("v0", "a", True),
        "data:latest": ("v0", "a", True),
        "data:best": ("v1", "b", False),
        "data:first": ("v0", "a", True),
        "data:v1": ("v1", "b", False),
    }
    assert two.use_artifact("data").metadata == {"again": True}


def test_a_digest_names_a_version_for_ever(begin: Begin) -> None:
    """In whole, in part, with its algorithm in front."""
    run = begin()
    run.log_artifact(write("a"), "data")
    digest = run.use_artifact("data").digest
    run.log_artifact(write("b"), "data")

    for word in (digest, digest[:8], f"sha256:{digest[:12]}"):
        assert run.use_artifact(f"data@{word}").version == "v0"
    with pytest.raises(runcast.UsageError, match="no version has the digest"):
        run.use_artifact("data@" + "0" * 12)


def test_another_experiment_is_named(begin: Begin) -> None:
    """Names count per experiment, as in a project of W&B."""
    begin("team/one").log_artifact(write("a"), "data")
    run = begin("two")
    run.log_artifact(write("b"), "data")

    assert run.use_artifact("data").experiment == "two"
    assert run.use_artifact("team/one/data:v0").path.joinpath("f.txt").read_text() == "a"


def test_what_is_not_there_is_refused_with_what_is(begin: Begin) -> None:
    """Name, version, type."""
    run = begin()
    with pytest.raises(runcast.UsageError, match="no artifact 'data' in experiment 'digits'"):
        run.use_artifact("data")
    run.log_artifact(write("a"), "data", type="dataset", aliases=["best"])

    with pytest.raises(runcast.UsageError, match="there are data; one of another experiment"):
        run.use_artifact("dota:best")
    with pytest.raises(runcast.UsageError, match=r"no version 'v7'; there are v0, best, latest"):
        run.use_artifact("data:v7")
    with pytest.raises(runcast.UsageError, match="is of type 'dataset', not 'model'"):
        run.use_artifact("data", type="model")


def test_names_with_marks_in_them_are_found(begin: Begin) -> None:
    """A colon or an at sign may belong to the name."""
    run = begin()
    run.log_artifact(write("a"), "a:b@c")

    assert run.use_artifact("a:b@c").name == "a:b@c"
    assert run.use_artifact("a:b@c:v0").version == "v0"


def test_lineage_is_recorded(begin: Begin) -> None:
    """Who made it, which version, and what it was asked for by; plain SQL finds the users of a digest."""
    maker, user = begin(), begin("other")
    maker.log_artifact(write("a"), "data", type="dataset", aliases=["best"])
    used = user.use_artifact("digits/data:best")
    user.finish()

    (noted,) = catalog.run(user.id).inputs()
    assert (noted.name, noted.type, noted.version, noted.run, noted.alias) == (
        "data", "dataset", "v0", maker.id, "best",
    )  # fmt: skip
    assert noted.files == used.files
    database = sqlite3.connect(".runcast/catalog.db")
    query = "SELECT r.id FROM inputs i JOIN runs r ON r.n = i.run WHERE i.digest = ? AND i.source_run = ?"
    assert database.execute(query, (used.digest, maker.id)).fetchall() == [(user.id,)]
    database.close()


def test_a_muted_run_reads_too(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 1 needs the data as well; it notes nothing."""
    first = begin()
    first.log_artifact(write("a"), "data")
    first.finish()
    monkeypatch.setenv("RUNCAST_ENABLED", "false")

    assert begin().use_artifact("data").version == "v0"


def test_a_running_run_in_another_process_is_seen_at_once(begin: Begin) -> None:
    """Its courier may not have delivered anything yet."""
    run = begin()
    writer = JournalWriter(Layout(".runcast").journal("other"), "other")
    digest, size = Blobs(Layout(".runcast").blobs).put_bytes(b"x")
    from runcast import codec

    writer.append(codec.encode(RunStarted(time=1, run="other", experiment="digits", name="o")))
    assert [r.id for r in catalog.runs()] != []
    files = [FileRef("x", digest, size)]
    writer.append(codec.encode(Artifact(time=2, name="fresh", type="file", files=files, digest="d" * 64)))

    assert run.use_artifact("fresh").run == "other"
    writer.close()


def test_a_download_is_the_callers_own(begin: Begin) -> None:
    """Writing into it changes neither the store nor the next download."""
    run = begin()
    run.log_artifact(write("a"), "data")
    artifact = run.use_artifact("data")
    folder = artifact.download()
    (folder / "f.txt").write_text("changed")

    assert folder == Path("artifacts/data-v0")
    assert (artifact.download("again") / "f.txt").read_text() == "a"
    assert (artifact.path / "f.txt").read_text() == "a"
    assert (artifact.download(folder) / "f.txt").read_text() == "a"


def test_the_view_costs_no_second_copy(begin: Begin) -> None:
    """Its files are the store's own, by another name."""
    run = begin()
    run.log_artifact(write("a" * 5000), "data")
    artifact = run.use_artifact("data")
    blob = Blobs(Layout(".runcast").blobs).path(artifact.files[0].sha256)

    assert (artifact.path / "f.txt").samefile(blob)
    assert artifact.path == run.use_artifact("data").path


def test_damage_is_found_before_it_is_used(begin: Begin) -> None:
    """A file that was called immutable and was not; a blob that is gone."""
    run = begin()
    Path("big").write_bytes(os.urandom(3_000_000))
    run.log_artifact("big", immutable=True)
    artifact = run.use_artifact("big")
    blob = Blobs(Layout(".runcast").blobs).path(artifact.files[0].sha256)
    if blob.samefile("big"):  # a file system that shares blocks has made a clone
        with Path("big").open("r+b") as file:
            file.write(b"other")
        for act in (artifact.download, lambda: artifact.path):
            with pytest.raises(JournalError, match=r"not what was logged.*immutable=True"):
                act()
    blob.unlink()
    with pytest.raises(JournalError, match="gone from the store"):
        artifact.download()
    assert not list(Path("artifacts").rglob("*.part"))


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "a/../../out", "a\\b", ""])
def test_a_forged_record_cannot_write_elsewhere(begin: Begin, path: str) -> None:
    """A journal that somebody sent may say anything."""
    run = begin()
    digest, size = Blobs(Layout(".runcast").blobs).put_bytes(b"x")
    files = [FileRef(path, digest, size)]
    run._say(lambda now: Artifact(time=now, name="bad", type="file", files=files, digest="d" * 64), True, [])
    artifact = run.use_artifact("bad")

    with pytest.raises(runcast.UsageError, match="artifact 'bad' has a file"):
        artifact.download("target")
    with pytest.raises(runcast.UsageError, match="artifact 'bad' has a file"):
        _ = artifact.path


def test_a_link_inside_the_target_cannot_lead_out(begin: Begin) -> None:
    """A folder that is a link elsewhere is refused."""
    run = begin()
    Path("d/sub").mkdir(parents=True)
    Path("d/sub/f").write_text("x")
    run.log_artifact("d")
    Path("elsewhere").mkdir()
    Path("target").mkdir()
    Path("target/sub").symlink_to(Path("elsewhere").absolute())

    with pytest.raises(runcast.UsageError, match="would leave the folder"):
        run.use_artifact("d").download("target")
    assert list(Path("elsewhere").iterdir()) == []


def test_references_on_this_machine_are_shown_and_checked(begin: Begin, caplog: object) -> None:
    """A local one is a link in the view and a copy in a download; a remote one is only an address."""
    import hashlib

    run = begin()
    there = Path("there.bin").absolute()
    there.write_bytes(b"data")
    known = runcast.Reference(there.as_uri(), sha256=hashlib.sha256(b"data").hexdigest(), path="in/d.bin")
    run.log_artifact([known, "https://example.org/x.csv"], "refs")
    artifact = run.use_artifact("refs")

    assert (artifact.path / "in/d.bin").resolve() == there
    copy = artifact.download("copy") / "in/d.bin"
    assert copy.read_bytes() == b"data"
    assert not copy.is_symlink()
    there.write_bytes(b"changed")
    with pytest.raises(JournalError, match="not what was logged"):
        artifact.download("again")


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("https://me:hunter22@host/x.bin", "https://host/x.bin"),
        ("s3://key:secret99@bucket/x", "s3://bucket/x"),
        ("https://b.example/x?X-Amz-Signature=abcdef0123", "https://b.example/x"),
        ("https://b.example/x?sv=1&sig=abcdef0123", "https://b.example/x"),
        ("https://b.example/x?version=3", "https://b.example/x?version=3"),
    ],
)
def test_no_credentials_of_an_address_are_kept(run: runcast.Run, uri: str, kept: str) -> None:
    """Neither in the record nor anywhere in runcast's folder."""
    run.log_artifact(uri, "ref")
    run.finish()

    (artifact,) = catalog.run(run.id).artifacts
    assert [file.uri for file in artifact.files] == [kept]
    every = b"".join(path.read_bytes() for path in Path(".runcast").rglob("*") if path.is_file())
    assert not any(secret in every for secret in (b"hunter22", b"secret99", b"abcdef0123"))


def test_a_reference_that_is_none_is_explained(run: runcast.Run) -> None:
    """A wrong digest, size or place."""
    wrong = [
        runcast.Reference("s3://b/x", sha256="abc"),
        runcast.Reference("s3://b/y", size=-1),
        runcast.Reference("s3://b/z", path="../z"),
        runcast.Reference("no uri"),
    ]
    run.log_artifact([*wrong, "s3://b/good"], "refs")
    run.finish()

    (artifact,) = catalog.run(run.id).artifacts
    assert [file.path for file in artifact.files] == ["good"]
    reasons = " ".join(loss.reason for loss in catalog.run(run.id).losses())
    for part in ("64 hex digits", "number of bytes", "'..' in the name", "is no URI"):
        assert part in reasons

"""Files of artifacts stand beside the events, whole, read-only, and never anywhere else."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast.errors import Reject
from runcast.records import Artifact, FileRef

Make = Callable[..., Any]
T = 1_700_000_000_123_456_789


def artifact(*files: FileRef, name: str = "model", digest: str = "d" * 64, **more: Any) -> Artifact:
    """A record of these files."""
    return Artifact(time=T, name=name, type="model", files=list(files), digest=digest, **more)


def test_files_are_placed_and_listed(delivery: Make) -> None:
    """Content, place, aliases and metadata; the run's folder says where."""
    run = delivery()
    files = [run.file("model.pkl", b"weights"), run.file("sub/conf.json", b"{}"), run.file("empty", b"")]
    run.deliver(artifact(*files, aliases=["best"], metadata={"acc": 0.9}))
    (entry,) = run.document()["artifacts"]
    folder = run.path / entry["folder"]

    assert entry["folder"] == f"artifacts/model/{'d' * 12}"
    assert (entry["aliases"], entry["metadata"], entry["type"]) == (["best"], {"acc": 0.9}, "model")
    for file in files:
        assert hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256
        assert (folder / file.path).stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_blob_is_shared_only_if_nobody_may_write_to_it(delivery: Make, mode: int) -> None:
    """A link to a writable blob would let an edit reach the journal."""
    run = delivery()
    file = run.file("f", b"content", mode)
    run.deliver(artifact(file))
    placed = run.path / "artifacts/model" / ("d" * 12) / "f"

    assert placed.samefile(run.opened.blob(file)) == (mode == 0o400)
    assert placed.read_bytes() == b"content"


def test_redelivery_and_versions_do_not_double(delivery: Make) -> None:
    """The same version after a crash once; another digest beside it."""
    run = delivery()
    first = artifact(run.file("f", b"1"))
    run.deliver(first, save=False)
    run.open()
    run.deliver(first)
    run.deliver(artifact(run.file("f", b"2"), digest="e" * 64))

    assert [entry["digest"][0] for entry in run.document()["artifacts"]] == ["d", "e"]
    contents = {path.read_bytes() for path in run.path.glob("artifacts/model/*/f")}
    assert contents == {b"1", b"2"}


def test_half_a_copy_is_made_whole(delivery: Make) -> None:
    """A file of another size is not taken for the right one."""
    run = delivery()
    file = run.file("f", b"content")
    place = run.path / "artifacts/model" / ("d" * 12) / "f"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"con")
    run.deliver(artifact(file))

    assert place.read_bytes() == b"content"


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "/etc/out",
        "a/../../out",
        "..",
        "",
        ".",
        "a\0b",
        "x" * 256,
        "\ud800",
        "a/" * 2500 + "b",
        "f/below",
    ],
)
def test_a_path_that_leads_out_is_refused(delivery: Make, tmp_path: Path, path: str) -> None:
    """And one that no file can have; the message names artifact and path, the run goes on."""
    run = delivery()
    good = run.file("f", b"content")
    before = sorted(tmp_path.rglob("out"))

    with pytest.raises(Reject, match=r"artifact 'model': path .* is refused: .*rename the file"):
        run.deliver(artifact(good, FileRef(path=path, sha256=good.sha256, size=7)))

    assert sorted(tmp_path.rglob("out")) == before
    run.deliver(artifact(good))
    assert len(run.document()["artifacts"]) == 1


@pytest.mark.parametrize("name", ["../x", "/x", "", "a\0b", "\ud800", "n" * 300])
def test_the_name_of_an_artifact_stays_inside(delivery: Make, name: str) -> None:
    """Escaped as a run's name is; the record keeps it."""
    run = delivery()
    run.deliver(artifact(run.file("f", b"content"), name=name))
    (entry,) = run.document()["artifacts"]

    assert entry["name"] == name
    assert (run.path / entry["folder"] / "f").resolve().is_relative_to(run.path / "artifacts")
    assert len(Path(entry["folder"]).parts) == 3


@pytest.mark.fault(
    "F26",
    how="a link planted where an artifact goes",
    outcome="not followed",
)
def test_a_planted_link_is_not_followed(delivery: Make, tmp_path: Path) -> None:
    """A folder of the run that was replaced by a link to elsewhere."""
    run = delivery()
    file = run.file("f", b"content")
    (tmp_path / "elsewhere").mkdir()
    (run.path / "artifacts").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Reject, match="out of the run's folder"):
        run.deliver(artifact(file))

    assert not list((tmp_path / "elsewhere").rglob("f"))


@pytest.mark.parametrize("digest", ["../../x", "D" * 64, "d" * 63, ""])
def test_a_digest_that_is_none_is_refused(delivery: Make, digest: str) -> None:
    """It would become part of a path."""
    run = delivery()

    with pytest.raises(Reject, match="no sha256"):
        run.deliver(artifact(run.file("f", b"content"), digest=digest))
    with pytest.raises(Reject, match="no sha256"):
        run.deliver(artifact(FileRef(path="f", sha256="../" * 22, size=1)))


def test_missing_content_is_refused(delivery: Make) -> None:
    """A blob that is gone is named, with the file that it was."""
    run = delivery()

    with pytest.raises(
        Reject, match=r"'model'.*'f' is not among the journal's blobs; log the artifact again"
    ):
        run.deliver(artifact(FileRef(path="f", sha256="a" * 64, size=1)))

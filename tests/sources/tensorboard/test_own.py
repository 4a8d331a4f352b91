"""What our own backend wrote comes back as it was said."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from runcast.backends.tensorboard import TensorBoardBackend
from runcast.journal import Blobs
from runcast.migrate.content import Content
from runcast.plugins.source import Selection
from runcast.records import (
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Model,
    RunStarted,
    Span,
    Trace,
    kind,
)  # fmt: skip
from runcast.sources.tensorboard import TensorBoardSource
from runcast.testing import strategies
from runcast.testing.courier import Courier
from runcast.testing.golden import STORIES, Story


def carried(root: Path, story: Story) -> Courier:
    """Deliver a story as the courier does."""
    courier = Courier(TensorBoardBackend, {"logdir": "runs"}, root, story)
    courier.open()
    for start in range(0, len(courier.records), 7):
        courier.carry(courier.records[start : start + 7])
    courier.close()
    return courier


def differences(courier: Courier, root: Path) -> dict[str, tuple[object, object]]:
    """What is not the same in the journal and in the folder."""
    source = TensorBoardSource(str(root / "runs"))
    (run,) = source.runs(Selection())
    assert run.runcast == courier.id
    blobs = Blobs(root / "read")
    refused = {(record.writer, record.seq) for record, _ in courier.rejected}
    said = [record for record in courier.records if (record.writer, record.seq) not in refused]
    records = list(source.read(run, blobs))
    assert isinstance(records[0], RunStarted)
    assert [kind(record) for record in records] == [kind(record) for record in said]
    for record in records:
        for file in getattr(record, "files", []):
            path = blobs.path(file.sha256)
            assert file.uri or path.read_bytes() == Blobs(courier.layout.blobs).path(file.sha256).read_bytes()
    ours, theirs = vars(Content.of(said)), vars(Content.of(records))
    assert run.status == ours["head"]["status"] or len({r.writer for r in said}) > 1
    return {k: (ours[k], theirs[k]) for k in ours if repr_of(ours[k]) != repr_of(theirs[k])}


def repr_of(value):
    """NaN-proof: series as what they hold."""
    if isinstance(value, dict):
        return {key: repr_of(inner) for key, inner in sorted(value.items(), key=repr)}
    if hasattr(value, "digest") and hasattr(value, "count"):
        return value.count, value.digest
    return repr(value)


@pytest.mark.parametrize("name", STORIES)
def test_every_story_comes_back(name: str, tmp_path: Path) -> None:
    """Typed params, tags, notes, 64-bit numbers at their ns, texts, files, resumed and crashed runs."""
    courier = carried(tmp_path, STORIES[name]())

    assert differences(courier, tmp_path) == {}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.stories())
def test_whatever_a_script_says_comes_back(story: Story) -> None:
    """Content is the same for stories of any shape."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        courier = carried(root, story)
        try:
            assert differences(courier, root) == {}
        finally:
            courier.bury()


def everything_with_files() -> Story:
    """Every kind of record that names files."""
    story = Story().start(group="g", job_type="train")
    png = b"\x89PNG\r\n\x1a\n and so on"
    media = {
        "image": story.file("a.png", png),
        "audio": story.file("a.wav", b"RIFF\0\0\0\0WAVE"),
        "text": story.file("t.txt", "é\r\n\n".encode()),
        "graph": story.file("g.pb", b"\n\x05\n\x01x\x12\0"),
        "html": story.file("p.html", b"<p>"),
        "object3d": story.file("o.obj", b"v 0 0 0\n"),
        "new": story.file("x.bin", b"?"),
    }
    for type_, file in media.items():
        story.say(Media, key=f"a/{type_}", step=3, type=type_, file=file, caption="why")
    story.say(Media, key="h", step=1, type="histogram", data={"edges": [0, 1.5], "counts": [3], "num": 3})
    digest = "d" * 64
    story.say(Model, name="net", flavor="onnx", files=[story.file("m.onnx", b"1")], digest=digest, step=4)
    story.say(Input, name="set", type="dataset", files=[story.file("d.csv", b"2")], metadata={"rows": 7})
    story.say(Input, name="far", type="dataset", files=[FileRef("x", "", 0, uri="s3://b/x")])
    story.say(Environment, values={"python": {"version": "3"}}, files=[story.file("diff.patch", b"+")])
    span = Span(id="1" * 16, name="call", start=5, end=7, outputs={"nan": float("nan")})
    story.say(Trace, id="2" * 32, spans=[span])
    return story.say(Define, key="loss*", goal="minimize", summary=["best"]).finish("failed", error="E: x")


def test_files_of_every_kind_come_back(tmp_path: Path) -> None:
    """From where the backend keeps them: in the event, under ``media/``, or by their digests."""
    courier = carried(tmp_path, everything_with_files())

    assert courier.rejected == []
    assert differences(courier, tmp_path) == {}
    blobs = Blobs(tmp_path / "read")
    for record in courier.records:
        for file in [*getattr(record, "files", []), *filter(None, [getattr(record, "file", None)])]:
            assert file.uri or blobs.path(file.sha256).stat().st_size == file.size, file.path


def test_a_file_that_is_gone_or_changed_is_named(tmp_path: Path) -> None:
    """The record comes, the loss with it."""
    carried(tmp_path, STORIES["artifact"]())
    paths = sorted(path for path in (tmp_path / "runs").rglob("artifacts/**/*") if path.is_file())
    gone, changed = (next(path for path in paths if path.name == name) for name in ("c.txt", "raw.bin"))
    gone.unlink()
    changed.unlink()
    changed.write_bytes(b"other")
    source = TensorBoardSource(str(tmp_path / "runs"))
    (run,) = source.runs(Selection())
    lost = [record for record in source.read(run, Blobs(tmp_path / "read")) if isinstance(record, Lost)]

    assert {record.key: record.reason.partition(" ")[0] for record in lost} == {
        "a/b/c.txt": "its", "raw.bin": changed.relative_to(tmp_path / "runs/digits/sgd").as_posix(),
    }  # fmt: skip


def test_families_and_lineage_lead_to_folders(tmp_path: Path) -> None:
    """The parent and the run that made an input are named as this source names them."""
    parent = carried(tmp_path, Story().start(name="parent").finish())
    child = Story().start(name="child").say(Input, name="set", type="dataset", run=parent.id).finish()
    courier = Courier(TensorBoardBackend, {"logdir": "runs"}, tmp_path, child, parent=parent.ref)
    courier.play()
    source = TensorBoardSource(str(tmp_path / "runs"))
    runs = {run.name: run for run in source.runs(Selection())}
    records = list(source.read(runs["child"], Blobs(tmp_path / "read")))

    assert (runs["child"].parent, runs["parent"].parent) == (runs["parent"].id, None)
    assert records[0].parent == runs["parent"].id
    assert [record.run for record in records if isinstance(record, Input)] == [runs["parent"].id]


def test_what_others_put_beside_our_file_comes_too(tmp_path: Path) -> None:
    """An evaluation that was written into the same folder: before the run's end, after what it said."""
    from torch.utils.tensorboard import SummaryWriter

    courier = carried(tmp_path, STORIES["small"]())
    writer = SummaryWriter(str(tmp_path / "runs" / courier.ref.id))
    writer.add_scalar("later/acc", 0.5, 9)
    writer.close()
    source = TensorBoardSource(str(tmp_path / "runs"))
    (run,) = source.runs(Selection())
    records = list(source.read(run, Blobs(tmp_path / "read")))

    assert isinstance(records[0], RunStarted)
    assert records[-2].values == {"later/acc": 0.5}
    assert records[-1].status == "finished"

"""Every kind of record comes back exactly from the run's folder, by what ``docs/tensorboard.md`` says."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from runcast.backends.tensorboard.media.medium import kept
from runcast.codec import decode, encode
from runcast.formats import tfevents
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Span,
    System,
    Tags,
    Trace,
)  # fmt: skip
from runcast.testing import strategies

Make = Callable[..., Any]
T = 1_700_000_000_123_456_789
WRITER = "a" * 16


def restored(run: Any) -> Iterator[Record]:
    """The records that a run's event file holds: carried whole, or plain numbers and texts."""
    keys = run.document()["keys"]
    with run.events_file.open("rb") as file:
        for event in tfevents.read(tfevents.FrameReader(file)):
            numbers = {keys.get(v.tag, v.tag): v.value for v in event.values if v.kind == "scalar"}
            if event.record:
                yield decode(event.record)
            elif numbers:
                yield Metrics(time=event.time, step=event.step, values=numbers)
            for value in () if event.record else event.values:
                if value.kind == "text" and not value.tag.startswith("_runcast_/"):
                    key = keys.get(value.tag, value.tag.removesuffix("/text_summary"))
                    text = str(value.value)
                    yield Media(
                        time=event.time,
                        key=key,
                        step=event.step,
                        type="text",
                        text=text,
                        caption=value.caption,
                    )


def content(run: Any, record: Media, file: FileRef) -> bytes:
    """A file of a value: beside the events, or in the event itself."""
    path = run.path / kept(record, file)
    if path.exists():
        return path.read_bytes()
    with run.events_file.open("rb") as opened:
        for event in tfevents.read(tfevents.FrameReader(opened)):
            if event.record and decode(event.record) == record:
                values = [v.value for v in event.values if v.kind == "tensor"]
                inside = [one for value in values for one in tfevents.tensor_strings(value)]
                texts = [
                    str(v.value).encode("utf-8", "surrogateescape") for v in event.values if v.kind == "text"
                ]
                for one in [*inside, *texts, *event.other.values()]:
                    if hashlib.sha256(one).hexdigest() == file.sha256:
                        return one
    raise AssertionError(f"{file.path} is nowhere")


def plain(record: Record) -> bytes:
    """A record's JSON, without the identity that plain numbers and texts do not keep."""
    if isinstance(record, (Metrics, Media)):
        record = msgspec.structs.replace(record, writer="", seq=0)
    return encode(record)


texts = st.text(max_size=8) | st.sampled_from(["\ud800", "$float", "a/b", "_runcast_/x", "x/text_summary"])
objects = st.dictionaries(texts, strategies.settings(), max_size=2)
names = st.sampled_from(["net", "a b", "é"])
references = st.lists(
    st.builds(FileRef, path=texts, sha256=st.just(""), size=st.integers(0, 9), uri=st.just("s3://b/k")),
    max_size=2,
)
digests = st.sampled_from(["d" * 64, "0" * 64])
times = st.integers(0, 2**62)
spans = st.builds(
    Span, id=texts, parent=st.none() | texts, name=texts, type=texts, start=times, end=times,
    error=st.none() | texts, inputs=strategies.settings(), outputs=strategies.settings(), attributes=objects,
    events=st.lists(objects, max_size=1),
)  # fmt: skip
common: dict[str, Any] = {"time": times, "writer": st.just(WRITER), "seq": st.integers(2, 9)}
said = st.one_of(
    st.builds(RunStarted, run=texts, experiment=texts, name=texts, origin=objects, **common),
    st.builds(Params, values=objects, **common),
    st.builds(
        Metrics, step=strategies.steps(), values=st.dictionaries(texts, strategies.numbers(), min_size=1),
        **common,
    ),
    st.builds(System, values=st.dictionaries(texts, strategies.numbers()), **common),
    st.builds(Define, key=texts, goal=st.sampled_from([None, "minimize"]), summary=st.lists(texts), **common),
    st.builds(Tags, values=st.dictionaries(texts, texts, max_size=2), **common),
    st.builds(Note, text=texts, **common),
    st.builds(
        Media, key=texts, step=strategies.steps(), text=texts, caption=st.none() | texts,
        type=st.sampled_from(["text", "html", "histogram", "roc_curve", "new"]), data=objects, **common,
    ),
    st.builds(
        Artifact, name=names, type=texts, files=references, digest=digests, metadata=objects,
        aliases=st.lists(texts, max_size=1), description=texts, **common,
    ),
    st.builds(
        Model, name=names, flavor=texts, files=references, digest=digests, example=strategies.settings(),
        signature=st.none() | objects, data=objects, **common,
    ),
    st.builds(Input, name=names, type=texts, digest=texts, files=references, metadata=objects, **common),
    st.builds(Environment, values=objects, files=references, **common),
    st.builds(Trace, id=texts, spans=st.lists(spans, max_size=2), session=st.none() | texts, **common),
    st.builds(Lost, key=texts, reason=texts, detail=st.none() | texts, **common),
    st.builds(RunFinished, status=st.sampled_from(["finished", "failed"]), error=st.none() | texts, **common),
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(said, max_size=6), number=st.uuids())
def test_every_record_comes_back(delivery: Make, records: list[Record], number: Any) -> None:
    """Any kind, with any text, any number and any time, in the order in which it was said."""
    run = delivery(run=str(number), name=str(number))
    run.deliver(*records)
    run.close()

    assert list(map(plain, restored(run))) == list(map(plain, records))
    EventAccumulator(str(run.path)).Reload()


def test_files_of_media_come_back(delivery: Make) -> None:
    """Byte by byte, of each type: in the event where it shows them as they are, beside it where not."""
    run = delivery()
    png, wav = b"\x89PNG\r\n\x1a\n and so on", b"RIFF\0\0\0\0WAVE"
    values = {
        "image": [run.file("a.png", png), run.array("b.npy", np.zeros((2, 2), np.uint8))],
        "audio": [run.file("a.wav", wav)],
        "text": [run.file("t.txt", "é\r\n\n".encode())],
        "graph": [run.file("g.pb", b"\n\x05\n\x01x\x12\0")],
        "histogram": [run.array("h.npy", np.arange(9.0))],
        "table": [run.file("t.table.json", b'{"columns": ["a"], "data": [[1]]}')],
        "html": [run.file("p.html", b"<p>")],
        "embedding": [run.array("v.npy", np.eye(3, dtype=np.float32))],
        "mesh": [run.array("m.npy", np.eye(3, dtype=np.float32))],
        "object3d": [run.file("o.obj", b"v 0 0 0\n")],
        "new": [run.file("x.bin", b"?")],
    }  # fmt: skip
    for type_, files in values.items():
        run.media(type_, f"my {type_}", *files, caption="a *caption*")
    records = [record for record in restored(run) if isinstance(record, Media)]

    assert [record.type for record in records] == list(values)
    for record in records:
        for file in record.contents:
            assert content(run, record, file) == run.opened.blob(file).read_bytes(), record.type
    assert {path.name.partition("-")[2][16:] for path in (run.path / "media").rglob("0-*")} == {
        ".npy", ".table.json", ".html", ".obj", ".bin", ".tsv",
    }  # fmt: skip


def test_a_lost_state_with_files_writes_the_same_run_again(delivery: Make) -> None:
    """Media, embeddings and models too: the same bytes in the same places."""
    run = delivery()
    vectors = run.array("v.npy", np.eye(3, dtype=np.float32))
    story = [
        Media(time=T, key="em", step=0, type="embedding", file=vectors),
        Media(time=T, key="im", step=0, type="image", file=run.array("i.npy", np.zeros((2, 2), np.uint8))),
        Media(time=T, key="fi", step=0, type="feature_importance", data={"names": ["a"], "values": [1]}),
        Model(time=T, name="net", flavor="onnx", files=[run.file("m", b"1")], digest="d" * 64),
        Input(time=T, name="set", type="dataset", files=[run.file("d", b"2")]),
    ]

    def everything() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in run.path.rglob("*") if p.is_file()}

    run.deliver(*story)
    before = everything()
    run.state = "{}"
    run.open()
    assert not (run.path / "projector_config.pbtxt").exists()
    run.deliver(*story[:2], save=False)
    run.open()
    run.deliver(*story)

    assert everything() == before
    assert len(run.document()["embeddings"]) == 1


@pytest.mark.parametrize("kind", [System, Metrics])
def test_scalars_keep_their_types(delivery: Make, kind: Any) -> None:
    """Of the machine as of the training: ints, bools and doubles."""
    run = delivery()
    values = {"int": 2**60 + 1, "bool": True, "double": 0.1, "nan": float("nan")}
    run.deliver(kind(time=T, values=values, **({"step": 3} if kind is Metrics else {})))

    assert [repr(value) for *_, value in run.points()] == [repr(value) for value in values.values()]

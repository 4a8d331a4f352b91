"""What TensorBoard's readers and ours find of delivered records, and what the receipt says of it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from runcast.errors import Reject
from runcast.plugins import Change, hookimpl
from runcast.records import Artifact, FileRef, Lost, Media, Metrics, Note, Params, Record, RunStarted, Tags

Make = Callable[..., Any]
T = 1_700_000_000_123_456_789


def accumulator(path: Path) -> EventAccumulator:
    """TensorBoard's Python reader, with nothing sampled away."""
    reader = EventAccumulator(str(path), size_guidance=dict.fromkeys(["scalars", "tensors"], 0))
    return reader.Reload()


def test_points_come_back_exactly(delivery: Make) -> None:
    """Types, 64-bit values, non-finite values, steps and times to the ns."""
    run = delivery()
    values = {"f": 0.1, "i": (1 << 53) + 1, "b": True, "inf": -math.inf, "huge": 10**30, "g/h": -0.0}
    run.deliver(
        run.started, Metrics(time=T, step=-7, values=values), Metrics(time=T + 1, step=9, values={"f": 2.5})
    )

    assert run.points() == [(T, -7, k, v) for k, v in values.items()] + [(T + 1, 9, "f", 2.5)]
    assert [type(value) for *_, value in run.points()[:4]] == [float, int, bool, float]


def test_tensorboards_python_reader_finds_the_points(delivery: Make) -> None:
    """As float32, at their steps and times, several values of one event included."""
    run = delivery()
    run.deliver(*(Metrics(time=T + i, step=i, values={"a": i / 3, "b": i}) for i in range(100)))

    reader = accumulator(run.path)

    assert sorted(reader.Tags()["scalars"]) == ["a", "b"]
    assert [point.step for point in reader.Scalars("a")] == list(range(100))
    assert [point.value for point in reader.Scalars("b")] == list(range(100))
    assert reader.Scalars("a")[1].wall_time == (T + 1) / 1e9
    assert reader.Scalars("a")[1].value == pytest.approx(1 / 3, rel=1e-7)


def test_texts_note_and_tags_are_texts(delivery: Make) -> None:
    """Where people see them; a table for tags."""
    run = delivery()
    run.deliver(
        Media(time=T, key="sample", step=4, type="text", text="**hi**", caption="greeting"),
        Note(time=T, text="why"),
        Tags(time=T, values={"task": "a|b"}),
    )

    (events_file,) = run.path.glob("*.run-1")
    texts = {
        value.tag: (event.step, tensor_util.make_ndarray(value.tensor)[0].decode())
        for event in EventFileLoader(str(events_file)).Load()
        for value in event.summary.value
    }

    assert texts["sample/text_summary"] == (4, "**hi**")
    assert texts["_runcast_/note/text_summary"] == (0, "why")
    assert "| task | a\\|b |" in texts["_runcast_/tags/text_summary"][1]
    assert run.events()[0].values[0].caption == "greeting"


def test_a_text_may_stand_in_a_blob(delivery: Make) -> None:
    """Long texts travel as files."""
    run = delivery()
    file = FileRef(path="t.txt", sha256="ab" * 32, size=3)
    run.opened.blob(file).parent.mkdir(parents=True)
    run.opened.blob(file).write_text("é1")
    run.deliver(Media(time=T, key="sample", step=0, type="text", file=file))

    assert run.events()[0].values[0].value == "é1"


def test_everything_else_is_in_the_document(delivery: Make) -> None:
    """Typed params, tags, note, identity and times; read as plain JSON."""
    run = delivery(parent="p", group="g", user="u")
    params = {"lr": 0.1, "n": 1 << 60, "none": None, "nan": math.nan, "list": [1, {"a": 2}], "$k": True}
    run.deliver(Params(time=T, values=params), Params(time=T, values={"late": "x"}))
    run.deliver(
        Tags(time=T, values={"a": "1"}), Tags(time=T, values={"b": "", "a": "2"}), Note(time=T, text="é")
    )
    run.deliver(Lost(time=T, key="x", reason="no number", count=3), Lost(time=T, key="x", reason="no number"))
    document = run.document()

    assert {k: v for k, v in document["params"].items() if k not in ("nan", "$$k")} == {
        "lr": 0.1, "n": 1 << 60, "none": None, "list": [1, {"a": 2}], "late": "x",
    }  # fmt: skip
    assert document["params"]["nan"] == {"$float": "nan"}
    assert document["params"]["$$k"] is True
    assert (document["tags"], document["note"]) == ({"a": "2", "b": ""}, "é")
    assert document["lost"] == {"x": {"no number": 4}}
    assert (document["run"], document["experiment"], document["name"]) == ("run-1", "digits", "sgd")
    assert (document["parent"], document["group"], document["user"]) == ("p", "g", "u")
    assert (document["start"], document["status"], document["end"]) == (T, "running", None)


def test_names_that_need_it_are_renamed_and_reported(delivery: Make) -> None:
    """Each gets a tag of its own; the document leads back to the name."""
    run = delivery()
    keys = ["s\ud800", "s_xd800_", "", "_hparams_/session_start_info", "t/text_summary", "x" * 2000, "plain"]
    changes = run.deliver(
        Metrics(time=T, step=0, values=dict.fromkeys(keys, 1.0)),
        Media(time=T, key="t", step=0, type="text", text="t"),
    )

    tags = [value.tag for event in run.events() for value in event.values]
    assert len(set(tags)) == len(keys) + 1
    assert "plain" in tags
    back = run.document()["keys"]
    assert [back.get(tag, tag) for tag in tags[:-1]] == keys
    assert {change.key for change in changes} == set(keys) - {"plain"}
    assert {change.what for change in changes} == {"renamed"}
    assert sorted(accumulator(run.path).Tags()["scalars"]) == sorted(tags[:-1])


def test_a_step_that_goes_back_is_reported_once_per_name(delivery: Make) -> None:
    """Also after a restart; the file keeps every point."""
    run = delivery()
    run.deliver(Metrics(time=T, step=5, values={"a": 1.0, "b": 1.0}))
    run.close()
    run.open()
    changes = run.deliver(*(Metrics(time=T, step=step, values={"a": 2.0}) for step in (5, 4, 3)))
    more = run.deliver(
        Metrics(time=T, step=6, values={"a": 1.0, "b": 2.0}), Metrics(time=T, step=6, values={"a": 0.0})
    )

    assert [(change.what, change.key) for change in changes] == [("degraded", "a")]
    assert "step 5 came after step 5" in changes[0].detail
    assert list(more) == []
    assert [step for _, step, tag, _ in run.points() if tag == "a"] == [5, 5, 4, 3, 6, 6]


def test_a_number_beyond_float32_is_reported(delivery: Make) -> None:
    """It shows as infinity, and comes back exactly; infinity itself is no change."""
    run = delivery()
    changes = run.deliver(Metrics(time=T, step=0, values={"a": -1e300, "b": math.inf, "c": 1e-300, "d": 0.1}))

    assert [(change.what, change.key) for change in changes] == [("degraded", "a")]
    assert accumulator(run.path).Scalars("a")[0].value == -math.inf
    assert run.points()[0][3] == -1e300


@pytest.mark.parametrize("step", [1 << 63, -(1 << 63) - 1, 10**5000], ids=["over", "under", "huge"])
@pytest.mark.parametrize("kind", ["metrics", "text"])
def test_a_step_outside_int64_is_refused_and_changes_nothing(delivery: Make, step: int, kind: str) -> None:
    """The message names key, step and mend; what stood before it in the batch is not written either."""
    run = delivery()
    good = [Metrics(time=T, step=1, values={"a": 1.0, "s\ud800": 2.0}), Params(time=T, values={"p": 1})]
    bad: Record = Metrics(time=T, step=step, values={"loss": 1.0})
    if kind == "text":
        bad = Media(time=T, key="loss", step=step, type="text", text="x")
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    state = dict(run.opened.state)

    with pytest.raises(Reject, match=r"'loss' at step .*outside int64; log it with a step"):
        run.deliver(*good, bad)

    assert {path: path.read_bytes() for path in run.path.iterdir()} == before
    assert run.opened.state == state
    changes = run.deliver(*good)
    assert [change.key for change in changes] == ["s\ud800"]
    assert len(run.points()) == 2
    assert list(run.document()["keys"].values()) == ["s\ud800"]


def test_params_that_hparams_cannot_hold_are_reported(delivery: Make) -> None:
    """A lesser form in the dashboard, the exact one in the document; nothing for plain ones."""
    run = delivery()
    params = {
        "none": None,
        "list": [1],
        "nan": math.nan,
        "big": 1 << 60,
        "long": "x" * 5000,
        "lr": 0.1,
        "n": 3,
    }
    changes = run.deliver(Params(time=T, values=params))
    again = run.deliver(Params(time=T, values={"n": 3, "lr": 0.2}))

    assert [(change.what, change.key) for change in changes] == [
        *(("degraded", key) for key in ("none", "list", "nan", "big")),
        ("spilled", "long"),
    ]
    assert list(again) == [Change("degraded", "lr", "logged again with another value: the last one is kept")]
    assert run.document()["params"]["long"] == "x" * 5000


def test_media_without_content_are_reported(delivery: Make) -> None:
    """By name, with the reason; the rest of the batch goes on."""
    run = delivery()
    changes = run.deliver(
        Media(time=T, key="im", step=0, type="image"), Metrics(time=T, step=0, values={"a": 1})
    )

    assert [(change.what, change.key) for change in changes] == [("degraded", "im")]
    assert "it has no image" in changes[0].detail
    assert [tag for *_, tag, _ in run.points()] == ["a"]


def test_files_are_private(delivery: Make) -> None:
    """Nobody else on the machine can read a run."""
    run = delivery()
    run.deliver(Params(time=T, values={"a": 1}))

    assert {path.stat().st_mode & 0o777 for path in run.path.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (run.path, run.path.parent)} == {0o700}


def test_the_ref_says_where_to_look(delivery: Make, tmp_path: Path) -> None:
    """Folder relative to the logdir, absolute path, and the command."""
    run = delivery()

    assert run.ref.id == "digits/sgd"
    assert Path(run.ref.url) == tmp_path / "runs/digits/sgd"
    assert run.ref.command == f"tensorboard --logdir {tmp_path / 'runs'}"


def test_a_nested_run_names_its_parent(delivery: Make, tmp_path: Path) -> None:
    """The parent's folder stands in the document."""
    parent = delivery(name="parent", run="p1")
    child = delivery(name="child", run="c1", parent="p1")
    child.close()
    child.parent, child.state = parent.ref, "{}"
    child.open()

    assert (child.document()["parent"], child.document()["parent_folder"]) == ("p1", "digits/parent")


def test_the_plugin_is_found_through_its_hook() -> None:
    """The entry point's module gives the class to the plugin manager."""
    import pluggy

    from runcast.backends import tensorboard
    from runcast.plugins import hookspecs

    manager = pluggy.PluginManager("runcast")
    manager.add_hookspecs(hookspecs)
    manager.register(tensorboard)

    assert manager.hook.runcast_backends() == [[tensorboard.TensorBoardBackend]]
    assert hookimpl.project_name == "runcast"


def test_every_feature_is_declared() -> None:
    """No capability is left at its default."""
    from runcast.backends.tensorboard import TensorBoardBackend

    declared = TensorBoardBackend.capabilities
    assert {getattr(declared, name).level for name in type(declared).model_fields} <= {"native", "mapped"}


def test_a_record_of_a_later_kind_is_reported(delivery: Make) -> None:
    """Not refused: the rest of its batch must go on."""

    class Trace(msgspec.Struct, tag="trace", tag_field="kind"):
        """A kind that this backend does not know."""

        time: int

    run = delivery()

    assert [change.what for change in run.deliver(Trace(time=T))] == ["skipped"]


def test_a_late_second_process_belongs_to_the_run(delivery: Make) -> None:
    """Its points go into the same file."""
    run = delivery()
    run.deliver(Metrics(time=T, step=0, values={"a": 1.0}))
    other = RunStarted(time=T, writer="b" * 16, seq=1, run="run-1", experiment="digits", name="sgd")
    run.deliver(other, Metrics(time=T, step=1, values={"a": 2.0}, writer="b" * 16))

    assert [value for *_, value in run.points()] == [1.0, 2.0]


def test_a_value_that_is_not_json_like_is_refused(delivery: Make) -> None:
    """By name; an integer of thousands of digits has no JSON in Python."""
    run = delivery()

    with pytest.raises(Reject, match="params 'huge' is not JSON-like"):
        run.deliver(Params(time=T, values={"huge": 10**5000}))
    with pytest.raises(Reject, match=r"note ''.*time is outside int64"):
        run.deliver(Note(time=1 << 63, text="x"))
    with pytest.raises(Reject, match="artifact 'a' is not JSON-like"):
        run.deliver(Artifact(time=T, name="a", type="t", files=[], digest="0" * 64, metadata={"x": 10**5000}))

    assert run.document()["params"] == {}

"""What a run looks like in a SQLite store, seen through MLflow's own client."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from runcast.errors import Reject, Retry
from runcast.plugins import Ref
from runcast.records import Artifact, FileRef, Lost, Media, Note, Params, RunStarted, Tags

from .lives import SECOND, START, Life, Store, metrics

Lives = Callable[..., Life]
BIGGEST = 1.7976931348623157e308


def facts(store: Store, kind: str) -> list[dict[str, object]]:
    """Lines of one kind in the run's residual, as a reader of the artifacts gets them."""
    lines = store.files()["runcast/residual.jsonl"].splitlines()
    return [fact for fact in map(json.loads, lines) if fact["kind"] == kind]


def rows(store: Store) -> list[dict[str, object]]:
    """What was said at each step and is no plain point, as a reader of the artifacts gets it."""
    lines = gzip.decompress(store.files()["runcast/rows.jsonl.gz"]).splitlines()
    names: list[str] = []
    found = []
    for line in map(json.loads, lines):
        if "keys" in line:
            names = line["keys"][1]
        else:
            _, _, _, step, time, _, *values = line["row"]
            said = {names[int(number)]: value for number, value in values[0].items()} if values else {}
            found.append({"step": step, "time": time, **said})
    return found


def test_rows_keep_what_points_cannot_hold(life: Lives, store: Store) -> None:
    """Nanoseconds, ints and points of one moment are told apart; plain ones cost no value."""
    one = life()
    ms = START + SECOND
    one.deliver(
        metrics(0, at=START + 1, loss=1.0),
        metrics(1, at=ms + 1, loss=2.0, epoch=3),
        metrics(1, at=ms + 2, loss=2.0),
        metrics(1, at=ms + 2, loss=2.5),
        metrics(1, at=ms + 3, loss=-0.0, other=1.0),
        one.finished(),
    )

    assert len(store.points("loss")) == 4
    assert rows(store) == [
        {"step": 0, "time": START + 1},
        {"step": 1, "time": ms + 1, "epoch": 3},
        {"step": 1, "time": ms + 2},
        {"step": 1, "time": ms + 2, "loss": 2.5},
        {"step": 1, "time": ms + 3, "loss": -0.0},
    ]


def test_a_whole_run(life: Lives, store: Store) -> None:
    """Everything common is in MLflow's own slots, with the original times, and nothing was changed."""
    one = life()
    ref = one.open()
    changes = one.deliver(
        Params(time=START, values={"lr": 0.1, "amp": True, "seed": None, "layers": [1, 2], "opt": "sgd"}),
        metrics(0, loss=1.5),
        metrics(1, loss=0.5, lr=1e-5),
        metrics(-3, loss=0.25, at=START + 5 * SECOND + 7_000_000),
        Tags(time=START, values={"task": "classification", "flag": ""}),
        Note(time=START, text="first try"),
        one.finished(),
    )

    run = store.run()
    assert ref.id == run.info.run_id
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FINISHED", START // 10**6, START // 10**6 + 60_000,
    )  # fmt: skip
    assert (run.info.run_name, run.data.tags["mlflow.user"]) == ("sgd", "ada")
    assert run.data.params == {"lr": "0.1", "amp": "True", "seed": "None", "layers": "[1, 2]", "opt": "sgd"}
    ms = START // 10**6
    assert store.points("loss") == [(0, ms, 1.5), (1, ms + 1000, 0.5), (-3, ms + 5007, 0.25)]
    assert store.points("lr") == [(1, ms + 1000, 1e-5)]
    assert (run.data.tags["task"], run.data.tags["flag"]) == ("classification", "")
    assert run.data.tags["mlflow.note.content"] == "first try"
    assert changes == []


def test_ref_of_a_file(life: Lives, tmp_path: Path) -> None:
    """The reference is the database and the command that opens MLflow's UI on it."""
    ref = life(uri="sqlite:///mlflow.db").open()

    assert ref.url == str(tmp_path / "mlflow.db")
    assert ref.command == f"mlflow server --backend-store-uri sqlite:///{tmp_path}/mlflow.db --port 5000"


@pytest.mark.parametrize(
    ("status", "seen"),
    [("finished", "FINISHED"), ("failed", "FAILED"), ("killed", "KILLED"), ("crashed", "FAILED")],
)
def test_status(life: Lives, store: Store, status: str, seen: str) -> None:
    """The end is MLflow's own status; the exact word and the error are tags."""
    one = life()
    one.deliver(one.finished(status, error="ValueError: no"))

    run = store.run()
    assert run.info.status == seen
    assert (run.data.tags["runcast.status"], run.data.tags["runcast.error"]) == (status, "ValueError: no")


def test_resumed_run_is_running_again(life: Lives, store: Store) -> None:
    """A run that goes on is RUNNING in MLflow until it ends again, and is still one run."""
    one = life()
    one.deliver(one.finished("failed"))
    one.backend = None
    one.deliver(RunStarted(time=START, run=one.id, experiment="digits", name="sgd", resumed=True))
    assert store.run().info.status == "RUNNING"

    one.deliver(one.finished())
    assert store.run().info.status == "FINISHED"


def test_nested(life: Lives, store: Store) -> None:
    """A child hangs below its parent in MLflow, even where the parent came later."""
    parent, child = life(), life(parent="outer")
    child.open()
    child.parent = Ref(id=parent.open().id)
    child.open()

    tags = store.client.get_run(child.state["run_id"]).data.tags
    assert tags["mlflow.parentRunId"] == parent.state["run_id"]
    assert tags["runcast.parent"] == "outer"


@pytest.mark.fault(
    "F23",
    how="NaN, infinities, huge integers in MLflow",
    outcome="as MLflow can hold them; what it changes is reported",
)
def test_odd_numbers(life: Lives, store: Store) -> None:
    """NaN stays; what a double cannot hold is reported once per key and exact beside the points."""
    one = life()
    changes = one.deliver(
        metrics(
            0, nan=math.nan, up=math.inf, down=-math.inf, big=2**53 + 1, huge=10**400, ok=True, even=2**60
        ),
        metrics(1, up=math.inf, ok=False),
        one.finished(),
    )

    values = {key: store.points(key)[0][2] for key in store.run().data.metrics}
    assert math.isnan(values.pop("nan"))
    assert values == {
        "up": BIGGEST, "down": -BIGGEST, "big": 2.0**53, "huge": BIGGEST, "ok": 1.0, "even": 2.0**60,
    }  # fmt: skip
    assert {(change.what, change.key) for change in changes} == {
        ("degraded", key) for key in ("up", "down", "big", "huge", "ok")
    }
    assert len(changes) == 5
    first, second = rows(store)
    assert (first["up"], first["down"], first["big"], first["huge"], first["ok"], first["even"]) == (
        {"$float": "inf"}, {"$float": "-inf"}, 2**53 + 1, 10**400, True, 2**60,
    )  # fmt: skip
    assert (second["up"], second["ok"]) == ({"$float": "inf"}, False)


def test_latest_values(life: Lives, store: Store) -> None:
    """MLflow shows the value of the latest step, at one step and ms the greatest, and keeps all of them."""
    one = life()
    for said in ([(5, 1.0), (3, 9.0), (7, 2.0), (7, 8.0), (7, 4.0)], [(6, 3.0)], [(8, 0.5), (8, 0.25)]):
        one.deliver(*(metrics(step, at=START + step * SECOND, loss=value) for step, value in said))
        if said[0] == (5, 1.0):
            assert store.run().data.metrics == {"loss": 8.0}
    one.deliver(one.finished())

    assert store.run().data.metrics == {"loss": 0.5}
    points = [(step, value) for step, _, value in store.points("loss")]
    assert points == [(3, 9.0), (5, 1.0), (6, 3.0), (7, 2.0), (7, 4.0), (7, 8.0), (8, 0.25), (8, 0.5)]


def test_time_before_1970(life: Lives, store: Store) -> None:
    """MLflow refuses such points: they come as of 1970, with the true time beside them."""
    one = life()
    (change,) = one.deliver(metrics(4, at=-7, loss=1.0), one.finished())

    assert store.points("loss") == [(4, 0, 1.0)]
    assert (change.what, change.key) == ("degraded", "loss")
    assert rows(store) == [{"step": 4, "time": -7}]


def test_step_beyond_int64(life: Lives) -> None:
    """A step that no store can hold is refused by name."""
    with pytest.raises(Reject, match="loss: step 9223372036854775808 is beyond 64 bits"):
        life().deliver(metrics(2**63, at=START, loss=1.0))


def test_param_again_with_another_value(life: Lives, store: Store) -> None:
    """MLflow keeps the first value for ever; the later one is a tag, and the change names both."""
    one = life()
    one.deliver(Params(time=START, values={"lr": 0.1}))
    changes = one.deliver(Params(time=START, values={"lr": 0.2}), Params(time=START, values={"lr": 0.2}))

    run = store.run()
    assert (run.data.params["lr"], run.data.tags["runcast.param.lr"]) == ("0.1", "0.2")
    (change,) = changes
    assert (change.what, change.key) == ("degraded", "lr")
    assert "0.1" in change.detail
    assert "0.2" in change.detail
    one.deliver(Params(time=START, values={"lr": 0.1}), one.finished())
    assert store.run().data.tags["runcast.param.lr"] == "0.1"
    assert [fact["value"] for fact in facts(store, "param")] == [0.1, 0.2]


def test_types_of_params_are_kept(life: Lives, store: Store) -> None:
    """Text that looks like a number is told from the number."""
    values = {
        "number": 1,
        "text": "1",
        "none": None,
        "flag": True,
        "nested": {"a": [1, "2"]},
        "nan": math.nan,
    }
    one = life()
    one.deliver(Params(time=START, values=values), one.finished())

    exact = {fact["key"]: fact["value"] for fact in facts(store, "param")}
    assert exact == {
        "number": 1,
        "none": None,
        "flag": True,
        "nested": {"a": [1, "2"]},
        "nan": {"$float": "nan"},
    }
    assert store.run().data.params["nested"] == '{"a": [1, "2"]}'


def test_long_values_are_spilled(life: Lives, store: Store) -> None:
    """Nothing is cut in silence: the slot shows the head, a file holds it all."""
    param, tag, note = "p" * 6001, "t" * 8001, "n" * 10_000
    one = life()
    changes = one.deliver(
        Params(time=START, values={"prompt": param, "fits": "f" * 6000}),
        Tags(time=START, values={"log": tag}),
        Note(time=START, text=note),
        one.finished(),
    )

    run, files = store.run(), store.files()
    assert json.loads(files["runcast/params/prompt.json"]) == param
    assert files["runcast/tags/log.txt"].decode() == tag
    assert files["runcast/note.txt"].decode() == note
    assert run.data.params["prompt"].startswith("ppp")
    assert run.data.params["prompt"].endswith("all of it: runcast/params/prompt.json]")
    assert len(run.data.params["prompt"]) == 6000
    assert len(run.data.tags["log"]) == 8000
    assert run.data.params["fits"] == "f" * 6000
    assert [(change.what, change.key) for change in changes] == [
        ("spilled", "prompt"), ("spilled", "log"), ("spilled", "note"),
    ]  # fmt: skip


def test_long_param_again_with_another_end(life: Lives, store: Store) -> None:
    """Two long values with one beginning are two values, and both are kept whole."""
    one = life()
    for end in "ab":
        one.deliver(Params(time=START, values={"prompt": "p" * 7000 + end}))

    spilled = [path for path in store.files() if path.startswith("runcast/params/prompt")]
    assert sorted(store.files()[path][-2:-1] for path in spilled) == [b"a", b"b"]


def test_text_that_databases_refuse(life: Lives, store: Store) -> None:
    """NUL and lone surrogates are shown as escapes; the exact text is in the residual."""
    one = life()
    changes = one.deliver(
        Params(time=START, values={"p": "a\0b"}), Tags(time=START, values={"t": "\ud800"}), one.finished()
    )

    run = store.run()
    assert (run.data.params["p"], run.data.tags["t"]) == ("a\\x00b", "\\ud800")
    assert [fact["value"] for fact in facts(store, "param") + facts(store, "tag")] == ["a\0b", "\ud800"]
    assert {change.what for change in changes} == {"degraded"}


def test_text_media(life: Lives, store: Store) -> None:
    """Text is a file per key and step; a second one of the same step gets its own."""
    one = life()
    (change,) = one.deliver(
        Media(time=START, key="samples/en", step=3, type="text", text="ä", caption="greedy"),
        Media(time=START + 1, key="samples/en", step=3, type="text", text="b"),
        one.finished(),
    )

    files = store.files()
    assert (files["text/samples/en/3.txt"].decode(), files["text/samples/en/3-2.txt"]) == ("ä", b"b")
    assert (change.what, change.key) == ("degraded", "samples/en")
    assert [fact.get("caption") for fact in facts(store, "media")] == ["greedy", None]


def test_artifact_versions(life: Lives, store: Store) -> None:
    """One content stands under its name; the next one beside it; an index lists both."""
    one = life()
    old, new = one.blob("a/weights.bin", b"old"), one.blob("a/weights.bin", b"new")
    for digest, file in (("1" * 64, old), ("2" * 64, new), ("1" * 64, old)):
        one.deliver(
            Artifact(
                time=START,
                name="model",
                type="model",
                files=[file],
                digest=digest,
                aliases=["best"],
                metadata={"f1": 1},
            )
        )

    files = store.files()
    assert (files["model/a/weights.bin"], files["model@v2/a/weights.bin"]) == (b"old", b"new")
    index = json.loads(files["runcast/artifacts/model.json"])
    assert [(entry["digest"][0], entry["path"]) for entry in index] == [("1", "model"), ("2", "model@v2")]
    assert (index[0]["aliases"], index[0]["metadata"], index[0]["type"]) == (["best"], {"f1": 1}, "model")
    assert index[0]["files"][0]["sha256"] == old.sha256


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "a//b", "."])
def test_artifact_leaving_its_folder(life: Lives, store: Store, path: str) -> None:
    """A path that would leave the artifact is refused by name, and nothing is written."""
    one = life()
    file = FileRef(path=path, sha256=one.blob("x", b"x").sha256, size=1)
    with pytest.raises(Reject, match=r"artifact 'm': the path .* leaves its folder"):
        one.deliver(Artifact(time=START, name="m", type="file", files=[file], digest="1" * 64))

    assert store.files() == {}


def test_artifact_without_content(life: Lives) -> None:
    """A file whose content is gone is refused by name."""
    file = FileRef(path="x.bin", sha256="f" * 64, size=1)
    with pytest.raises(Reject, match=r"artifact 'm': the content of 'x.bin' is missing"):
        life().deliver(Artifact(time=START, name="m", type="file", files=[file], digest="1" * 64))


def test_losses_are_counted(life: Lives, store: Store) -> None:
    """What was lost before it came here is a tag, once per loss even where it comes twice."""
    one = life()
    loss = Lost(time=START, key="x", reason="no number", count=3)
    one.deliver(loss)
    one.deliver(loss, Lost(time=START + 1, key="y", reason="no number", count=4))

    assert store.run().data.tags["runcast.lost"] == "7"


def test_many_params_and_tags(life: Lives, store: Store) -> None:
    """More than one call's worth of each arrives whole."""
    many = {f"name{i}": str(i) for i in range(250)}
    one = life()
    one.deliver(
        Params(time=START, values=many), Tags(time=START, values=many), metrics(0, **dict.fromkeys(many, 1.0))
    )

    run = store.run()
    assert run.data.params == many
    assert {key: run.data.tags[key] for key in many} == many
    assert set(run.data.metrics) == set(many)


def test_files_go_beside_the_database(life: Lives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Artifacts never depend on the working folder, and the store is private."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    one = life(uri="sqlite:///data/mlflow.db", experiment="a/b")
    one.deliver(Media(time=START, key="t", step=0, type="text", text="x"))

    assert list(tmp_path.glob("data/mlruns/a_x2f_b/*/artifacts/text/t/0.txt"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (tmp_path / "data/mlflow.db").stat().st_mode & 0o077 == 0


def test_a_batch_that_failed_takes_no_keys_with_it(
    life: Lives, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names that a row speaks of come with the attempt that counts, though an earlier one said them."""
    one = life()
    one.open()
    with monkeypatch.context() as broken:
        broken.setattr(one.backend._sender, "send", lambda plan: (_ for _ in ()).throw(Retry("busy")))
        with pytest.raises(Retry):
            one.deliver(metrics(0, n=1))
    one.deliver(metrics(0, n=1))
    one.deliver(metrics(1, n=2))
    one.deliver(one.finished())
    assert [row["n"] for row in rows(store)] == [1, 2]

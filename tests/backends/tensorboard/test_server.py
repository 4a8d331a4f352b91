"""What people see: TensorBoard's own server with its default data server, over HTTP."""

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    RunFinished,
    RunStarted,
    Span,
    System,
    Tags,
    Trace,
)  # fmt: skip

T = 1_700_000_000_123_456_789
SECOND = 1_000_000_000
WRITER = "a" * 16


def finished(status: Any, seconds: int = 5, **more: Any) -> RunFinished:
    """The end of the first process."""
    return RunFinished(time=T + seconds * SECOND, writer=WRITER, status=status, **more)


def write_plain(make: Callable[..., Any]) -> None:
    """A run as scripts write them: params in two calls, ten metrics a step, texts, an end."""
    run = make("plain")
    run.deliver(run.started, Params(time=T, values={"lr": 0.1, "flag": True, "opt": "sgd"}))
    run.deliver(Params(time=T, values={"layers": 3, "units": [64, 32]}))
    run.deliver(
        *(Metrics(time=T + i, step=i, values={f"m{j}": i + j / 10 for j in range(10)}) for i in range(1000))
    )
    run.deliver(
        Note(time=T, text="first"), Tags(time=T, values={"task": "a"}), Note(time=T, text="**second**")
    )
    run.deliver(Tags(time=T, values={"team": "b"}), *(
        Media(time=T, key="sample", step=i, type="text", text=f"text {i}") for i in range(3)
    ))  # fmt: skip
    run.deliver(finished("finished"))


def write_ends(make: Callable[..., Any]) -> None:
    """A run for each way to end, and one that crashed and was resumed."""
    for status in ("finished", "failed", "killed", "crashed"):
        make(status).deliver(Params(time=T, values={"lr": 0.5}), finished(status))
    make("running").deliver(Params(time=T, values={"lr": 0.5}))
    again = "b" * 16
    resumed = make("resumed")
    resumed.deliver(Params(time=T, values={"lr": 0.5}), finished("crashed"))
    resumed.close()
    resumed.open().deliver(
        RunStarted(time=T + 9, writer=again, run="resumed", experiment="e", name="resumed", resumed=True),
        Params(time=T, values={"late": 1}),
        RunFinished(time=T + 7 * SECOND, writer=again, status="finished"),
    )


def write_hostile(make: Callable[..., Any]) -> None:
    """Names, values and steps that TensorBoard is not made for."""
    run = make("../é\0\ud800")
    params = {
        "nan": math.nan,
        "big": 1 << 70,
        "": "x",
        "s\ud800": "\ud800",
        "none": None,
        "nul\0": "\0",
        "lr": "text",
    }
    run.deliver(Params(time=T, values=params))
    values = {
        "nan": math.nan,
        "inf": math.inf,
        "a\0b": 1.0,
        "": 2.0,
        "\ud800": 3.0,
        "_hparams_/experiment": 4.0,
    }
    run.deliver(
        Metrics(time=T, step=-5, values=values | {"x" * 3000: 5.0, "big": 1e300, "int": (1 << 53) + 1})
    )
    back = make("back")
    back.deliver(
        *(Metrics(time=T, step=step, values={"a": float(i)}) for i, step in enumerate([0, 1, 2, 3, 2, 5]))
    )
    wide = make("wide")
    wide.deliver(Params(time=T, values={"lr": 0.25}), Metrics(time=T, step=0, values={"a": 0.0}))
    wide.deliver(Metrics(time=T, step=1 << 62, values={"a": 1.0}), finished("finished"))


def write_kinds(make: Callable[..., Any]) -> None:
    """What is no number and no medium."""
    run = make("kinds")
    run.deliver(
        Params(time=T, values={"lr": 0.1}),
        Define(time=T, key="val/*", goal="maximize", summary=["best", "mean"]),
        *(System(time=T + i * SECOND, values={"cpu/percent": 10.0 * i, "gpu/0/memory": i}) for i in range(3)),
        *(Metrics(time=T, step=i, values={"val/acc": value}) for i, value in enumerate([0.5, 0.9, 0.7])),
        Environment(time=T, values={"git": {"commit": "abc", "dirty": True}, "python": "3.11"}),
        Environment(time=T, values={"python": "3.12"}, files=[run.file("diff.patch", b"+1")]),
    )
    reference = FileRef("raw.csv", "", 0, uri="s3://bucket/raw.csv")
    weights = run.file("w.bin", b"weights")
    run.deliver(
        Artifact(time=T, name="data", type="dataset", files=[reference], digest="d" * 64, description="raw"),
        Model(time=T, name="net", flavor="sklearn", files=[weights], digest="e" * 64, aliases=["best"]),
        Input(
            time=T, name="mnist", type="dataset", context="training", metadata={"splits": {"train": 60000}}
        ),
    )
    usage = {"gen_ai.request.model": "m-1", "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 9}
    spans = [
        Span(id="a" * 16, name="answer", type="chain", start=T, end=T + 2_000_000, inputs={"q": "<why>?"}),
        Span(
            id="b" * 16,
            parent="a" * 16,
            name="call",
            start=T,
            end=T + 1_000_000,
            attributes=usage,
            outputs="so",
        ),
    ]
    run.deliver(*(Trace(time=T, id=f"{n:032x}", spans=spans, session="s") for n in range(2)))
    run.deliver(finished("finished"))


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, start_delivery: Any, start_tensorboard: Any
) -> Iterator[SimpleNamespace]:
    """A server over many runs; `make` opens one more."""
    base = tmp_path_factory.mktemp("seen")
    runs: dict[str, Any] = {}

    def make(name: str) -> Any:
        runs[name] = start_delivery(base, "e", name, f"run-{len(runs)}").open()
        return runs[name]

    write_plain(make)
    write_ends(make)
    write_hostile(make)
    write_kinds(make)
    with start_tensorboard(base / "runs") as server:
        server.wait(lambda: len(server.get("runs")) == len(runs), "all runs")
        server.wait(lambda: len(server.scalars("e/plain", "m9")) == 1000, "all points")
        yield SimpleNamespace(server=server, make=make, runs=runs)
    for run in runs.values():
        run.close()


def test_every_point_of_every_metric_is_shown(seen: SimpleNamespace) -> None:
    """Ten values of one event are ten curves, at their steps and times."""
    for j in range(10):
        points = seen.server.scalars("e/plain", f"m{j}")
        assert [point[1] for point in points] == list(range(1000))
        assert [point[2] for point in points] == pytest.approx([i + j / 10 for i in range(1000)])
    assert points[7][0] == pytest.approx((T + 7) / 1e9, abs=1e-6)


def test_texts_note_and_tags_are_shown(seen: SimpleNamespace) -> None:
    """The last note and all tags; texts at their steps."""

    def texts(tag: str) -> list[tuple[int, str]]:
        found = seen.server.get("plugin/text/text", run="e/plain", tag=tag)
        return [(text["step"], text["text"]) for text in found]

    assert [step for step, _ in texts("sample/text_summary")] == [0, 1, 2]
    ((_, note),) = texts("_runcast_/note/text_summary")
    assert "<strong>second</strong>" in note
    ((_, tags),) = texts("_runcast_/tags/text_summary")
    assert "<td>task</td>\n<td>a</td>" in tags
    assert "<td>team</td>\n<td>b</td>" in tags


def test_all_params_are_in_hparams(seen: SimpleNamespace) -> None:
    """Of several calls, in the run itself, with their types; beside the metrics."""
    session = seen.server.wait(lambda: seen.server.sessions().get("e/plain"), "the session")

    assert session["hparams"] == {"lr": 0.1, "flag": True, "opt": "sgd", "layers": 3.0, "units": "[64, 32]"}
    assert (session["startTimeSecs"], session["endTimeSecs"]) == (T / SECOND, (T + 5 * SECOND) / SECOND)
    metrics = {metric["name"]["tag"]: metric["value"] for metric in session["metricValues"]}
    assert metrics["m0"] == 999.0
    assert not [run for run in seen.server.get("runs") if run.startswith("e/plain/")]


def test_the_end_of_a_run_is_shown(seen: SimpleNamespace) -> None:
    """Success or failure; a resumed run by its last end, with the params of both processes."""
    sessions = seen.server.sessions()
    status = {name: sessions[f"e/{name}"]["status"].removeprefix("STATUS_") for name in (
        "finished", "failed", "killed", "crashed", "running", "resumed",
    )}  # fmt: skip

    assert status == {
        "finished": "SUCCESS", "failed": "FAILURE", "killed": "FAILURE", "crashed": "FAILURE",
        "running": "UNKNOWN", "resumed": "SUCCESS",
    }  # fmt: skip
    assert sessions["e/resumed"]["hparams"] == {"lr": 0.5, "late": 1.0}
    words = {name: seen.runs[name].document()["status"] for name in status}
    assert words == {name: name for name in words} | {"resumed": "finished"}


def test_hostile_values_break_no_dashboard(seen: SimpleNamespace) -> None:
    """Every name has a curve; non-finite values are shown as such; HParams still answers for all runs."""
    run = seen.runs["../é\0\ud800"]
    back = run.document()["keys"]
    tags = seen.server.get("plugin/scalars/tags")[run.ref.id]
    shown = {back.get(tag, tag): seen.server.scalars(run.ref.id, tag) for tag in tags}

    assert {key: [point[1:] for point in points] for key, points in shown.items()} == {
        "nan": [[-5, "NaN"]], "inf": [[-5, "Infinity"]], "a\0b": [[-5, 1.0]], "": [[-5, 2.0]],
        "\ud800": [[-5, 3.0]], "_hparams_/experiment": [[-5, 4.0]], "x" * 3000: [[-5, 5.0]],
        "big": [[-5, "Infinity"]], "int": [[-5, float(1 << 53)]],
    }  # fmt: skip
    hparams = seen.server.sessions()[run.ref.id]["hparams"]
    assert hparams == {
        "nan": "nan", "big": str(1 << 70), "_xempty_": "x", "s_xd800_": "\\ud800", "none": "null",
        "nul\0": "\0", "lr": "text",
    }  # fmt: skip


def test_a_step_back_hides_earlier_points_as_reported(seen: SimpleNamespace) -> None:
    """What the receipt says of it is true: the file has all, the default server does not."""
    assert [change.what for change in seen.runs["back"].changes] == ["degraded"]
    assert [point[1] for point in seen.server.scalars("e/back", "a")] == [0, 1, 2, 5]
    assert [step for _, step, _, _ in seen.runs["back"].points()] == [0, 1, 2, 3, 2, 5]


def test_a_step_beyond_int32_is_kept_out_of_hparams(seen: SimpleNamespace) -> None:
    """It would make that dashboard fail for all runs; its curve and its params are shown all the same."""
    assert [point[1] for point in seen.server.scalars("e/wide", "a")] == [0, 1 << 62]
    assert "e/wide" not in seen.server.sessions()
    (text,) = seen.server.get("plugin/text/text", run="e/wide", tag="_runcast_/params/text_summary")
    assert "<td>lr</td>\n<td>0.25</td>" in text["text"]
    assert [change.what for change in seen.runs["wide"].changes] == ["degraded"]
    assert "HParams" in seen.runs["wide"].changes[0].detail


def test_a_running_server_sees_no_double_after_a_crash(seen: SimpleNamespace) -> None:
    """It follows the file while its tail is cut off and written again, and sees the end when it comes."""
    run = seen.make("live")
    run.deliver(Params(time=T, values={"lr": 0.1}))
    points = [Metrics(time=T, step=i, values={"a": i / 3}) for i in range(30)]
    run.deliver(*points[:10])
    run.deliver(*points[10:20], save=False)
    shown = seen.server.wait(
        lambda: (found := seen.server.scalars("e/live", "a")) and len(found) == 20 and found, "20 points"
    )
    run.open()
    run.deliver(*points[10:20])
    run.deliver(*points[20:], finished("failed"))
    after = seen.server.wait(
        lambda: (found := seen.server.scalars("e/live", "a")) and len(found) == 30 and found, "30 points"
    )
    session = seen.server.wait(
        lambda: (found := seen.server.sessions()["e/live"])["status"] == "STATUS_FAILURE" and found, "the end"
    )

    assert after[:20] == shown
    assert [point[1] for point in after] == list(range(30))
    assert session["hparams"] == {"lr": 0.1}


def test_system_metrics_are_scalars_by_sample(seen: SimpleNamespace) -> None:
    """Their times are true; the step is only a number."""
    points = seen.server.scalars("e/kinds", "~system/cpu/percent")
    assert [point[1:] for point in points] == [[0, 0.0], [1, 10.0], [2, 20.0]]
    assert points[2][0] - points[0][0] == pytest.approx(2, abs=1e-5)
    assert "~system/gpu/0/memory" in seen.server.get("plugin/scalars/tags")["e/kinds"]


def test_hparams_lists_the_scripts_metrics_first(seen: SimpleNamespace) -> None:
    """The dashboard shows the first five metrics that its endpoint names: none of these is the machine's."""
    answer = seen.server.get("plugin/hparams/experiment", {})
    metrics = [info["name"]["tag"] for info in answer["metricInfos"]]

    assert [tag.startswith("~system/") for tag in metrics] == sorted(
        t.startswith("~system/") for t in metrics
    )
    assert "~system/cpu/percent" in metrics


def test_what_is_wanted_of_a_metric_is_shown(seen: SimpleNamespace) -> None:
    """Best with its step, mean; HParams has the last value in the same run."""
    ((_, shown),) = seen.server.texts("e/kinds", "_runcast_/summaries")
    assert "<td>val/acc</td>\n<td>best</td>\n<td>0.9</td>\n<td>1</td>" in shown
    assert "<td>val/acc</td>\n<td>mean</td>\n<td>0.7" in shown
    session = seen.server.sessions()["e/kinds"]
    metrics = {metric["name"]["tag"]: metric["value"] for metric in session["metricValues"]}
    assert metrics["val/acc"] == pytest.approx(0.7)
    assert seen.runs["kinds"].document()["summaries"]["val/acc"]["best"] == {"value": 0.9, "step": 1}


def test_environment_artifacts_models_and_inputs_are_shown(seen: SimpleNamespace) -> None:
    """A text each, with the place of what is in the run's folder; that there is no more is reported."""
    ((_, environment),) = seen.server.texts("e/kinds", "_runcast_/environment")
    assert "<td>git/commit</td>\n<td>abc</td>" in environment
    assert "<td>python</td>\n<td>3.12</td>" in environment
    ((_, artifact),) = seen.server.texts("e/kinds", "_runcast_/artifacts")
    assert "s3://bucket/raw.csv" in artifact
    assert "<td>description</td>\n<td>raw</td>" in artifact
    ((_, model),) = seen.server.texts("e/kinds", "_runcast_/models")
    assert "<td>flavor</td>\n<td>sklearn</td>" in model
    ((_, used),) = seen.server.texts("e/kinds", "_runcast_/inputs")
    assert '{"splits": {"train": 60000}}' in used.replace("&quot;", '"')
    run = seen.runs["kinds"]
    (entry,) = run.document()["models"]
    assert (run.path / entry["folder"] / "w.bin").read_bytes() == b"weights"
    assert next(run.path.glob("environment/*/diff.patch")).read_bytes() == b"+1"
    lesser = {change.detail.split(":")[0] for change in run.changes if change.what == "degraded"}
    assert lesser >= {f"TensorBoard has no {what}" for what in ("artifacts", "models", "inputs", "traces")}


def test_traces_are_shown_as_texts(seen: SimpleNamespace) -> None:
    """Spans as a tree, with tokens; inputs and outputs as they are."""
    texts = seen.server.texts("e/kinds", "_runcast_/traces")
    assert [step for step, _ in texts] == [0, 1]
    assert "<td>· call</td>\n<td></td>\n<td>1.000</td>\n<td>m-1</td>\n<td>7 + 9</td>" in texts[1][1]
    assert '{"q": "&lt;why&gt;?"}' in texts[1][1].replace("&quot;", '"')


def test_a_run_is_one_run(seen: SimpleNamespace) -> None:
    """Found under experiment and name; neither HParams nor the document counts as a run of its own."""
    assert set(seen.server.get("runs")) == {run.ref.id for run in seen.runs.values()}

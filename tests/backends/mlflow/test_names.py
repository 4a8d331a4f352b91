"""Names of any form: MLflow takes them all, none meets another, and each can be told from the run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runcast.backends.mlflow import names
from runcast.names import unescape
from runcast.records import Artifact, Input, Media, Params, Span, System, Tags, Trace

from .lives import START, Life, Store, metrics
from .test_media import media, picture

Lives = Callable[..., Life]
NASTY = st.sampled_from([
    "", ".", "..", "/", "//", "a//b", "/a", "a/", "a/./b", "a/../b", "..a", "...", "a\nb", "a\0b", "\ud800",
    "ä/ö", "k@1", "a=b", "[0]", "100%", "a,b", "a\\b", "_x40_", "_xempty_", "loss", "LOSS", "x" * 250,
    "x" * 251, "ü" * 300, "runcast.run_id", "runcast.", " a ", "a:b", "日本語", "😀",
])  # fmt: skip
CHARACTERS = st.text(st.characters(codec=None) | st.sampled_from("./ _x0a:#%"), max_size=40)
NAMES = st.lists(NASTY | CHARACTERS, min_size=1, max_size=25, unique=True)
relaxed = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.fault(
    "F24",
    how="such names in MLflow",
    outcome="each arrives, or its other spelling is reported",
)
@relaxed
@given(keys=NAMES)
def test_every_name_arrives(life: Lives, store: Store, keys: list[str]) -> None:
    """As metric, param and tag, in a real store; the names come back through MLflow and the map."""
    one = life(experiment=f"hostile {len(store.client.search_experiments())}")
    changes = one.deliver(
        metrics(0, **dict.fromkeys(keys, 1.0)),
        Params(time=START, values=dict.fromkeys(keys, "v")),
        Tags(time=START, values={key: f"tag {number}" for number, key in enumerate(keys)}),
    )

    run = store.client.get_run(one.state["run_id"])
    map_ = json.loads(run.data.tags.get("runcast.keymap", "{}"))
    if "$spilled" in map_:
        return
    assert {map_.get(native, native) for native in run.data.metrics} == set(keys)
    assert {map_.get(native, native) for native in run.data.params} == set(keys)
    tags = {
        map_.get(native, native): text for native, text in run.data.tags.items() if text.startswith("tag ")
    }
    assert tags == {key: f"tag {number}" for number, key in enumerate(keys)}
    assert {change.key for change in changes} == set(map_.values())
    short = {native: key for native, key in map_.items() if len(native) < 250}
    assert {native: unescape(native) for native in short} == short


@pytest.mark.fault(
    "F26",
    how="`../`, absolute, backslash and percent spellings",
    outcome="confined or refused",
)
@given(keys=NAMES)
def test_artifact_paths_stay_inside(keys: list[str]) -> None:
    """No name of an artifact or file leaves its folder, is too long for a file system, or meets another."""
    paths = [names.artifact_path(key) for key in keys]
    tops = [names.artifact_name(key) for key in keys]

    assert len(set(paths)) == len(set(tops)) == len(keys)
    for path in paths + tops:
        segments = path.split("/")
        assert not {"", ".", ".."} & set(segments)
        assert all(len(segment.encode()) <= 255 for segment in segments)
    assert not {"runcast", "text", "media"} & set(tops)
    assert all("/" not in top and "@" not in top for top in tops)


def test_hostile_files_arrive(life: Lives, store: Store) -> None:
    """Artifacts and text under names that file systems and URLs dislike are all there."""
    one = life()
    hostile = ["a#b", "100%.txt", "ü" * 100, "c d", ".artifact.uploading.x", "x@v2", "q?a=1"]
    files = [one.blob(path, path.encode()) for path in hostile]
    one.deliver(
        Artifact(time=START, name="text", type="file", files=files, digest="1" * 64),
        *(Media(time=START, key=key, step=1, type="text", text=key) for key in [*hostile, "../../up", "a/b"]),
    )

    contents = list(store.files().values())
    for name in [*hostile, "../../up", "a/b"]:
        assert name.encode() in contents


def test_the_map_outgrows_a_tag(life: Lives, store: Store) -> None:
    """Where the map of renamed names is too long for a tag, the residual holds it."""
    one = life()
    keys = [f"metric#{number:04}" for number in range(400)]
    one.deliver(metrics(0, **dict.fromkeys(keys, 1.0)))
    one.backend = None
    one.deliver(metrics(1, **dict.fromkeys(keys, 1.0)), one.finished())

    assert "$spilled" in store.run().data.tags["runcast.keymap"]
    lines = [json.loads(line) for line in store.files()["runcast/residual.jsonl"].splitlines()]
    assert {line["as"]: line["key"] for line in lines if line["kind"] == "name"} == {
        key.replace("#", "_x23_"): key for key in keys
    }


def test_names_of_runs_and_experiments(life: Lives, store: Store) -> None:
    """Over-long, empty and undecodable names of runs and experiments give one run each."""
    for experiment, name in [("e" * 501, "n" * 251), ("", ""), ("a\0\ud800", "\ud800\n"), ("é/ß ", "x")]:
        one = life(experiment=experiment, name=name)
        one.deliver(one.started)
        assert len(store.runs(names.experiment(experiment))) == 1
        renamed = {change.key for change in one.changes if change.what == "renamed"}
        assert renamed == ({experiment, name} if experiment != "é/ß " else set())


@settings(relaxed, max_examples=4)
@given(keys=NAMES)
@example(
    keys=["latest", "v1", "V2", "a:b", "a'b\"c", ".", "..", "a//b", "ü" * 300, "\ud800", " ", "a.b%", "~"]
)
def test_names_of_other_kinds(life: Lives, store: Store, keys: list[str]) -> None:
    """Models, aliases, inputs, images, measures and labels of traces take every name, each its own."""
    experiment = f"other {len(store.client.search_experiments())}"
    one = life(experiment=experiment)
    data = {"items": [{"width": 1, "height": 1}]}
    span = Span(id="1" * 16, name=keys[0], start=START, end=START + 1)
    labels = dict.fromkeys(keys, "x")
    one.deliver(
        *(Input(time=START, name=key, type="dataset", digest="d" * 64) for key in keys),
        *(media(one, "image", {"a.png": picture(size=(1, 1))}, key=key, data=data) for key in keys),
        System(time=START, values=dict.fromkeys(keys, 1.0)),
        Trace(time=START, id=one.id.encode().hex().zfill(32)[-32:], spans=[span], tags=labels),
    )
    name = f"registered {experiment}"
    store.client.create_registered_model(name)
    version = store.client.create_model_version(name, "s3://x/y", await_creation_for=0).version
    for number, key in enumerate(keys):
        store.client.create_registered_model(names.registered_model(f"{key} {experiment}"))
        store.client.create_logged_model(store.run(experiment).info.experiment_id, names.model(key))
        if number < 5:
            store.client.set_registered_model_alias(name, names.alias(key), version)

    run = store.run(experiment)
    assert len(run.inputs.dataset_inputs) == len({given.dataset.name for given in run.inputs.dataset_inputs})
    assert len(run.inputs.dataset_inputs) == len(keys)
    pictures = [path for path in store.files(experiment) if path.endswith(".png")]
    assert len({path.partition("+")[0] for path in pictures}) == len(keys)
    assert len(run.data.metrics) == len(keys)
    assert len(set(map(names.model, keys))) == len(set(map(names.registered_model, keys))) == len(keys)
    assert len(set(map(names.alias, keys))) == len(keys)

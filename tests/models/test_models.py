"""`Run.log_model` and `runcast.load_model`, flavor by flavor."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
import xgboost
from onnx.reference import ReferenceEvaluator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import runcast
from runcast import catalog

from .shelf import ARRAY, Doubler, Locked, X, Y, double, doubling, linear, logged, reasons


def test_scikit_learn_comes_back_without_a_question(run: runcast.Run) -> None:
    """A linear model: skops vouches for all of it. Signature and example are as MLflow has them."""
    model = LogisticRegression().fit(X, Y)
    run.log_model(
        model, input_example=X.head(2), step=3, aliases=["best"], register_as="digits", metadata={"acc": 0.9}
    )

    info = logged(run)
    assert info.model is not None
    assert ([f.path for f in info.files], info.aliases, info.metadata) == (
        ["model.skops"], ["best", "latest"], {"acc": 0.9},
    )  # fmt: skip
    assert info.model["data"] == {
        "file": "model.skops",
        "format": "skops",
        "types": [],
        "class": "sklearn.linear_model._logistic.LogisticRegression",
        "versions": info.model["data"]["versions"],
    }
    assert info.model["signature"]["inputs"][0] == {"type": "double", "name": "a", "required": True}
    assert info.model["signature"]["outputs"][0]["tensor-spec"] == {"dtype": "int64", "shape": [-1]}
    assert info.model["example"]["dataframe"]["columns"] == ["a", "b", "c"]
    assert (info.model["step"], info.model["register_as"]) == (3, "digits")
    assert any(line.startswith("scikit-learn==") for line in info.model["requirements"])
    assert (runcast.load_model("model:best").predict(X) == model.predict(X)).all()


def test_types_that_skops_does_not_know_are_asked_about(run: runcast.Run) -> None:
    """A forest has compiled trees in it; the message names them."""
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    run.log_model(model, "forest")

    with pytest.raises(runcast.UsageError, match=r"sklearn\.tree\._tree\.Tree.*trust=True"):
        runcast.load_model("forest")
    assert (runcast.load_model("forest", trust=True).predict(X) == model.predict(X)).all()


def test_without_skops_it_is_a_pickle(run: runcast.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exact versions that wrote it; loading asks."""
    monkeypatch.setitem(sys.modules, "skops.io", None)
    run.log_model(LogisticRegression().fit(X, Y))

    info = logged(run)
    assert info.model is not None
    assert (info.files[0].path, info.model["data"]["format"]) == ("model.pkl", "cloudpickle")
    assert any(line.startswith("cloudpickle==") for line in info.model["requirements"])
    with pytest.raises(runcast.UsageError, match=r"model\.pkl is a pickle.*trust=True"):
        runcast.load_model("model")
    assert runcast.load_model("model", trust=True).score(X, Y) > 0.5


def test_a_module_keeps_weights_and_code(run: runcast.Run) -> None:
    """The weights alone need no trust; being asked for outputs changes no running statistics."""
    net = linear()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    run.log_model(net, input_example=ARRAY[:4])

    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    info = logged(run)
    assert info.model is not None
    assert [file.path for file in info.files] == ["model.pth", "state_dict.safetensors"]
    assert info.model["signature"]["outputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 2]}
    with pytest.raises(runcast.UsageError, match=r"model\.pth is a pickle.*into="):
        runcast.load_model("model")
    other = runcast.load_model("model", into=linear().requires_grad_(False))
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    whole = runcast.load_model("model", trust=True)
    assert torch.equal(whole.eval()(torch.tensor(ARRAY)), net.eval()(torch.tensor(ARRAY)))


def test_a_state_dict_needs_no_trust(run: runcast.Run) -> None:
    """Shared tensors too, which safetensors cannot hold: then PyTorch's own file, read as weights only."""
    state = linear().state_dict()
    run.log_model(state, "plain")
    shared = torch.ones(3)
    run.log_model({"a": shared, "b": shared}, "shared")

    assert torch.equal(runcast.load_model("plain")["0.weight"], state["0.weight"])
    assert logged(run, "shared").files[0].path == "state_dict.pt"
    assert torch.equal(runcast.load_model("shared")["b"], shared)


def test_a_module_that_cannot_be_pickled_keeps_its_weights(run: runcast.Run) -> None:
    """And says what is missing."""
    run.log_model(Locked())

    assert [file.path for file in logged(run).files] == ["state_dict.safetensors"]
    assert set(runcast.load_model("model")) == {"weight", "bias"}
    assert "its weights are kept, but not its code" in reasons(run)


@pytest.mark.parametrize(("flavor", "file"), [("torchscript", "model.pt"), ("torch_export", "model.pt2")])
def test_programs_of_a_module(run: runcast.Run, flavor: str, file: str) -> None:
    """They run for other batch sizes than the example's, and are asked about."""
    net = linear().eval()
    run.log_model(net, flavor=flavor, input_example=ARRAY[:4])

    assert [f.path for f in logged(run).files] == [file]
    with pytest.raises(runcast.UsageError, match=f"{file} is an? .*program, which runs code"):
        runcast.load_model("model")
    program = runcast.load_model("model", trust=True)
    call = program.module() if flavor == "torch_export" else program
    assert torch.allclose(call(torch.tensor(ARRAY)), net(torch.tensor(ARRAY)), atol=1e-6)


def test_an_export_without_example_is_explained(run: runcast.Run) -> None:
    """No exception, no record."""
    run.log_model(linear(), flavor="torch_export")

    assert "needs input_example=" in reasons(run)
    assert catalog.artifacts() == []


@pytest.mark.parametrize("kind", ["classifier", "booster"])
def test_xgboost_comes_back_as_its_class(run: runcast.Run, kind: str) -> None:
    """In its own format, which runs nothing."""
    model = xgboost.XGBClassifier(n_estimators=3).fit(X, Y)
    wanted = model if kind == "classifier" else model.get_booster()
    run.log_model(wanted, input_example=X.head(2))

    loaded = runcast.load_model("model")
    rows = X if kind == "classifier" else xgboost.DMatrix(X)
    assert type(loaded) is type(wanted)
    assert np.allclose(loaded.predict(rows), wanted.predict(rows))
    info = logged(run)
    assert info.model is not None
    assert info.model["signature"]["outputs"] is not None


@pytest.mark.parametrize("as_bytes", [False, True])
def test_onnx_comes_back_as_a_graph(run: runcast.Run, as_bytes: bool) -> None:
    """From a graph or its bytes."""
    graph = doubling()
    if as_bytes:
        run.log_model(graph.SerializeToString(), flavor="onnx")
    else:
        run.log_model(graph)

    loaded = runcast.load_model("model")
    (answer,) = ReferenceEvaluator(loaded).run(None, {"x": ARRAY})
    assert np.allclose(answer, ARRAY * 2)


@pytest.mark.parametrize(
    ("model", "wraps"), [(double, "function"), (Doubler(), "object"), (lambda x: x * 2, "function")]
)
def test_anything_that_answers_is_a_model(run: runcast.Run, model: Any, wraps: str) -> None:
    """A function, a lambda, an object."""
    run.log_model(model, input_example=ARRAY[:2])

    info = logged(run)
    assert info.model is not None
    assert (info.model["flavor"], info.model["data"]["wraps"]) == ("pyfunc", wraps)
    assert info.model["signature"]["outputs"] == info.model["signature"]["inputs"]
    with pytest.raises(runcast.UsageError, match="trust=True"):
        runcast.load_model("model")
    loaded = runcast.load_model("model", trust=True)
    answer = loaded.predict(ARRAY) if wraps == "object" else loaded(ARRAY)
    assert np.allclose(answer, ARRAY * 2)


@pytest.mark.parametrize("model", [3, None, "text", {"a": 1}])
def test_what_is_no_model_is_explained(run: runcast.Run, model: Any) -> None:
    """No exception; the message says what to do."""
    run.log_model(model)

    assert "run.log_artifact(path, type='model')" in reasons(run)


def test_a_model_that_cannot_be_pickled_is_explained(run: runcast.Run) -> None:
    """It names the cause; training goes on; nothing is left behind in the store."""
    model = Doubler()
    model.lock = threading.Lock()  # type: ignore[attr-defined]  # on purpose
    run.log_model(model)

    assert "cannot be pickled: TypeError: cannot pickle '_thread.lock'" in reasons(run)
    assert not list(Path(".runcast/blobs").glob(".model-*"))


class Unasked:
    """An object of which every attribute raises."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


def test_a_model_without_values_is_explained(run: runcast.Run) -> None:
    """Weights on the device 'meta' are none; and whatever a model's class raises stays here."""
    run.log_model(linear().to("meta"))
    run.log_model(Unasked())

    assert "no values" in reasons(run)
    assert "ZeroDivisionError" in reasons(run)
    assert catalog.run(run.id).models == []


def test_a_model_that_fails_on_its_example_is_kept(run: runcast.Run) -> None:
    """Without the outputs, and with a word about it."""

    def fussy(rows: Any) -> Any:
        raise ValueError("not today")

    run.log_model(fussy, input_example=ARRAY[:2])

    info = logged(run)
    assert info.model is not None
    assert info.model["signature"]["outputs"] is None
    assert "its signature has no outputs" in reasons(run)
    assert "not today" in reasons(run)


def test_signatures_may_be_given(run: runcast.Run) -> None:
    """MLflow's own object, data, or a dict; nonsense is explained and the model kept."""
    theirs = mlflow.models.infer_signature(X.head(2), np.zeros(2))
    for number, given in enumerate([theirs, (X.head(2), np.zeros(2)), theirs.to_dict()]):
        run.log_model(double, f"m{number}", signature=given)
    run.log_model(double, "odd", signature=3)

    found = [logged(run, f"m{number}").model for number in range(3)]
    assert all(model is not None and model["signature"] == found[0]["signature"] for model in found)  # type: ignore[index]
    assert mlflow.models.ModelSignature.from_dict(theirs.to_dict()) == theirs
    assert logged(run, "odd").model["signature"] is None  # type: ignore[index]
    assert "signature= takes" in reasons(run)

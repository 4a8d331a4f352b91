"""`Run.log_model` and `runcast.load_model`, flavor by flavor; and MLflow reading our files by itself."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
import torch
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import runcast
from runcast import catalog
from runcast.catalog import ArtifactInfo

Begin = Callable[..., runcast.Run]
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
Y = (X["a"] > 0).astype(int)
ARRAY = X.to_numpy("float32")


class Doubler:
    """An object with predict, and state."""

    factor = 2

    def predict(self, rows: Any) -> Any:
        """Twice the input."""
        return rows * self.factor


class Locked(torch.nn.Linear):
    """A module that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.lock = threading.Lock()


class OwnEstimator(BaseEstimator):
    """An estimator of the script's own, which skops does not vouch for."""

    def predict(self, rows: Any) -> Any:
        """The first column."""
        return np.asarray(rows)[:, 0]


def double(rows: Any) -> Any:
    """A plain function."""
    return rows * 2


def linear() -> torch.nn.Module:
    """A small module with weights that are no zeros."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def doubling() -> onnx.ModelProto:
    """x → 2·x as a graph."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
        [numpy_helper.from_array(np.array([2], "float32"), "two")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def logged(run: runcast.Run, name: str = "model") -> ArtifactInfo:
    """What the catalog knows of the run's last model."""
    return [info for info in catalog.artifacts(name=name) if info.run == run.id][-1]


def reasons(run: runcast.Run) -> str:
    """Why something was not kept, or only in part."""
    return " | ".join(loss.reason for loss in catalog.run(run.id).losses())


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


def test_a_run_a_path_and_a_stored_artifact_load_too(begin: Begin) -> None:
    """And a model that the going run loads is its input."""
    maker = begin("train")
    maker.log_model(LogisticRegression().fit(X, Y), "m")
    stored = maker.use_artifact("m", type="model")
    for wanted in (maker, stored, stored.path, stored.path / "model.skops"):
        assert runcast.load_model(wanted).score(X, Y) > 0.5
    maker.finish()
    user = begin("serve")
    runcast.load_model("m")
    user.finish()

    (used,) = catalog.run(user.id).inputs()
    assert (used.name, used.type, used.run) == ("m", "model", maker.id)


def test_what_cannot_be_found_is_refused(begin: Begin) -> None:
    """Names, runs without models, folders without models, artifacts that are none."""
    run = begin()
    Path("f.txt").write_text("x")
    run.log_artifact("f.txt")
    with pytest.raises(runcast.UsageError, match="is of type 'file', not 'model'"):
        runcast.load_model("f.txt:latest")
    with pytest.raises(runcast.UsageError, match="has logged no model"):
        runcast.load_model(run)
    with pytest.raises(runcast.UsageError, match="no artifact 'nothing'"):
        runcast.load_model("nothing")
    with pytest.raises(runcast.UsageError, match="has no model that runcast saved"):
        runcast.load_model(Path())


def test_a_pickle_in_a_safe_files_clothes_runs_nothing(begin: Begin) -> None:
    """What the record says is not believed: each reader takes only its own form."""
    begin()

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (Path("ran"),))

    for name in ("state_dict.safetensors", "state_dict.pt", "model.onnx", "model.ubj", "model.skops"):
        Path(name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(runcast.UsageError):
            runcast.load_model(Path(name))
    torch.save(Evil(), "state_dict.pt")
    with pytest.raises(runcast.UsageError, match="cannot be loaded"):
        runcast.load_model(Path("state_dict.pt"))

    assert not Path("ran").exists()


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow's, of itself
def test_mlflow_loads_our_pyfunc_files(run: runcast.Run) -> None:
    """With an MLmodel as MLflow's backend writes it, and without runcast in the loading process."""
    run.log_model(Doubler())
    folder = run.use_artifact("model").download("served")
    saved = mlflow.models.Model()
    saved.add_flavor(
        "python_function",
        loader_module="mlflow.pyfunc.model",
        python_model="python_model.pkl",
        cloudpickle_version=logged(run).model["data"]["versions"]["cloudpickle"],  # type: ignore[index]
        env={"virtualenv": "python_env.yaml"},
    )
    saved.save(str(folder / "MLmodel"))

    loaded = mlflow.pyfunc.load_model(str(folder))

    assert np.allclose(loaded.predict(ARRAY), ARRAY * 2)


def test_a_pyfunc_pickle_needs_no_runcast(run: runcast.Run) -> None:
    """Another machine may have cloudpickle alone."""
    run.log_model(lambda rows: rows * 2)
    file = run.use_artifact("model").path / "python_model.pkl"
    code = (
        "import pickle, sys; sys.modules['runcast'] = None;"
        f"print(pickle.load(open({str(file)!r}, 'rb')).predict(None, 21))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "42"


def test_mlflow_loads_our_modules(run: runcast.Run) -> None:
    """`model.pth` in the place where its PyTorch flavor looks."""
    net = linear().eval()
    run.log_model(net)
    folder = run.use_artifact("model").download("served")
    (folder / "data").mkdir()
    (folder / "model.pth").rename(folder / "data" / "model.pth")
    (folder / "data" / "pickle_module_info.txt").write_text("mlflow.pytorch.pickle_module")
    saved = mlflow.models.Model()
    saved.add_flavor("pytorch", model_data="data", pytorch_version=str(torch.__version__), code=None)
    saved.save(str(folder / "MLmodel"))

    loaded = mlflow.pytorch.load_model(str(folder))

    assert torch.equal(loaded(torch.tensor(ARRAY)), net(torch.tensor(ARRAY)))


def test_secrets_in_requirements_and_metadata_are_masked(run: runcast.Run) -> None:
    """An index address with a password, a token in the metadata."""
    lines = ["--extra-index-url https://me:hunter22@host/simple", "numpy"]
    run.log_model(double, requirements=lines, metadata={"api_key": "abcdef012345"})
    run.finish()

    every = b"".join(path.read_bytes() for path in Path(".runcast").rglob("*") if path.is_file())
    assert b"hunter22" not in every
    assert b"abcdef012345" not in every
    assert logged(run).model["requirements"][1] == "numpy"  # type: ignore[index]

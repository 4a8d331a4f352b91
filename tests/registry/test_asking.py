"""Wrong questions, conditions in words, several registries at once, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

import runcast
from runcast.config import Policy
from runcast.errors import ConfigError, RegistryError, UsageError
from runcast.model_registry import Refused
from runcast.model_registry.conditions import parse
from runcast.plugins.registry import ModelVersion

pytestmark = pytest.mark.slow


def test_wrong_questions(world: Any) -> None:
    """Each says what is wrong and what there is; nothing is half done."""
    registry = world.registry()
    name = world.model
    one = registry.register(name, world.folder_of("one"), metrics={"auc": float("nan"), "acc": 0.5})
    for call, message in (
        (lambda: registry.get("nothing-like-it"), "there is no model 'nothing-like-it'; there are"),
        (lambda: registry.get(f"{name}:v77"), f"has no version v77; there are v{one.version}"),
        (lambda: registry.get(f"{name}@nobody"), "has no alias 'nobody'"),
        (lambda: registry.get(f"{name}/production"), "is in stage 'production'"),
        (lambda: registry.get("a b"), "model name 'a b'"),
        (lambda: registry.alias(str(one), "latest"), "alias 'latest' is reserved"),
        (lambda: registry.alias(str(one), "v3"), "alias 'v3' is reserved"),
        (lambda: registry.alias(str(one), "production"), "is a stage of the policy"),
        (lambda: registry.alias(str(one), "a/b"), "alias 'a/b'"),
        (lambda: registry.promote(str(one), "heaven"), "no stage 'heaven'; it has staging, production"),
        (lambda: registry.tag(str(one), {"runcast.x": "1"}), "tag 'runcast.x'"),
        (lambda: registry.register(name), "needs a folder"),
        (lambda: registry.register(name, world.folder / "gone"), "neither a file nor a folder"),
        (lambda: registry.register("../up", world.folder_of("one")), "model name"),
        (lambda: registry.register(name, world.folder_of("one"), metrics={"auc": "high"}), "metrics: auc: "),
        (lambda: registry.compare([name], by="f1"), "no version has a metric 'f1'; there are"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    strict = world.registry(Policy(requires={"staging": ["auc >= 0.5", "f1 > 0.1", "acc > 0.1"]}))
    with pytest.raises(Refused) as refused:
        strict.promote(str(one), "staging")
    assert "auc of" in str(refused.value)
    assert "is NaN" in str(refused.value)
    assert "has no metric 'f1'; it has acc, auc" in str(refused.value)
    assert "acc > 0.1" not in str(refused.value)
    with pytest.raises(Refused, match="was in staging: it never was"):
        registry.promote(str(one), "production")
    down = world.folder / "down"
    down.mkdir()
    (down / "mine").touch()
    with pytest.raises(UsageError, match="is there already"):
        registry.download(name, down)
    assert [(v.version, v.aliases) for v in world.registry().versions(name)] == [(one.version, [])]


def test_conditions_in_words() -> None:
    """Each form compares as it reads, in the right direction."""
    policy = Policy(lower_is_better=["loss"])
    version = ModelVersion(registry="r", name="m", version=2, metrics={"auc": 0.92, "loss": 0.3, "a b": 1})
    holder = ModelVersion(registry="r", name="m", version=1, metrics={"auc": 0.93, "loss": 0.4, "old": 1.0})
    for text, ok in (
        ("auc >= 0.92", True), ("auc > 0.92", False), ("auc<=9.2e-1", True), ("a b == 1", True),
        ("auc >= production - 0.01", True), ("auc >= production", False), ("auc < production + .1", True),
        ("loss better than production", True), ("loss better than production by 0.2", False),
        ("auc better than production", False), ("auc no worse than production within 0.02", True),
        ("old >= production", False),
    ):  # fmt: skip
        check = parse(text, policy).check(version, {"production": holder})
        assert (check.condition, check.ok) == (text, ok), check
    assert parse("auc >= production + 1", policy).check(version, {}).ok
    for text in ("auc", "auc >= heaven", "auc >= production * 2", ">= 3", "auc better than 3"):
        with pytest.raises(ConfigError, match=r"\[registry\.policy\] condition"):
            parse(text, policy)


def test_a_policy_that_makes_no_sense(project: Path) -> None:
    """It is refused when a registry is opened, by the place in the configuration."""
    for policy, message in (
        ({"requires": {"heaven": ["auc > 1"]}}, r"\[registry.policy.requires\]: there is no stage 'heaven'"),
        ({"requires": {"staging": ["auc is nice"]}}, "condition 'auc is nice'"),
        ({"stages": ["a", "a"], "approval": []}, "each once"),
        ({"approvals": ["staging"]}, "approvals"),
    ):
        with pytest.raises(ConfigError, match=message):
            runcast.registry("local", config={"registry": {"policy": policy}})
    with pytest.raises(ConfigError, match="tensorboard has no model registry: take one of local, mlflow"):
        runcast.registry("tensorboard")
    with pytest.raises(ConfigError, match="there is no registry 'nowhere'"):
        runcast.registry("nowhere")


def test_conditions_in_code(world_of: Callable[[str], Any]) -> None:
    """A function sees the version and the one in the stage, and says why not."""
    world = world_of("local")
    registry = world.registry(Policy(in_order=False))
    registry.register("m", world.folder_of("one"))

    def small(version: ModelVersion, current: ModelVersion | None) -> str | None:
        return f"{version} has {len(version.files)} files" if len(version.files) > 1 else None

    with pytest.raises(Refused, match="small: m:v1 has 2 files"):
        registry.promote("m", "production", own=[small])


def test_a_damaged_file_is_not_given_out(world_of: Callable[[str], Any]) -> None:
    """A download is whole or not at all."""
    world = world_of("local")
    registry = world.registry()
    version = registry.register("m", world.folder_of("one"))
    digest = version.files["weights.bin"]
    blob = world.folder / "rc" / "blobs" / digest[:2] / digest
    blob.chmod(0o600)
    blob.write_bytes(b"evil")
    with pytest.raises(RegistryError, match=r"weights.bin is damaged in the registry"):
        registry.download("m", world.folder / "down")
    assert not (world.folder / "down").exists()
    assert not [path for path in world.folder.iterdir() if path.name.startswith(".m")]


@pytest.mark.parametrize("backend", ["local", "mlflow-sqlite"])
def test_files_that_are_gone(world_of: Callable[[str], Any], backend: str) -> None:
    """A download says what is missing; registering again, as it says, brings the files back."""
    world = world_of(backend)
    registry = world.registry()
    version = registry.register(world.model, world.folder_of("one"))
    gone = {
        path
        for root in (world.folder / "rc", Path(version.source))
        for path in root.rglob("*")
        if path.name in ("weights.bin", version.files["weights.bin"])
    }
    assert gone
    for path in gone:
        path.parent.chmod(0o700)
        path.unlink()
    with pytest.raises(RegistryError, match=r"weights\.bin.*register the version again"):
        registry.download(world.model, world.folder / "down")
    assert not (world.folder / "down").exists()
    assert world.registry().register(world.model, world.folder_of("one")).version == version.version
    assert registry.download(world.model, world.folder / "down").joinpath("weights.bin").exists()


def test_an_artifact_of_a_run(project: Path) -> None:
    """``name:alias`` is what a run logged, with its metrics; the same run again is the same version."""
    config = {"dir": str(project / "rc"), "delivery": "thread"}
    (project / "net.bin").write_bytes(b"net")
    with runcast.start("digits", backends=["local"], config=config) as run:
        run.log({"acc": 0.75}, step=0)
        run.log({"acc": 0.5}, step=1)
        run.log_artifact("net.bin", name="net", type="model", aliases=["good"])
    registry = runcast.registry("local", config=config)
    version = registry.register("m", "net:good")
    assert (version.run, version.metrics, version.version) == (run.id, {"acc": 0.5}, 1)
    assert registry.register("m", "net", run=run.id).version == 1
    assert (registry.download("m", project / "down") / "net.bin").read_bytes() == b"net"
    with pytest.raises(UsageError, match="has logged no model"):
        registry.register("m", run=run)


def test_one_that_is_down_is_finished_later(world_of: Callable[[str], Any], mlflow_server: Any) -> None:
    """Each registry answers for itself, and the same call again gives no second version."""
    world = world_of("mlflow")
    broken = {**world.config, "mlflow": {"uri": "http://127.0.0.1:9", "timeout": 1}}
    names = ["local", "mlflow"]
    folder = world.folder_of("one")
    with runcast.registry(names, config=broken) as both:
        answer = both.register(world.model, folder, aliases=["good"])
    assert list(answer.versions) == ["local"]
    assert "does not answer" in answer.problems["mlflow"]
    assert "repeating the call goes on" in answer.problems["mlflow"]
    with pytest.raises(RegistryError, match=r"done in local: v1; not in\nmlflow: "):
        answer.check()
    with runcast.registry(names, config=world.config) as both:
        answer = both.register(world.model, folder, aliases=["good"]).check()
        assert {name: v.version for name, v in answer.versions.items()} == {"local": 1, "mlflow": 1}
        assert all(v.aliases == ["good"] for v in answer.versions.values())
        done = both.promote(answer, "staging")
        assert {name: v.stage for name, v in done.versions.items()} == {
            "local": "staging",
            "mlflow": "staging",
        }
        with pytest.raises(UsageError, match="there is no model 'nobody'"):
            both.get("nobody")
        assert {key: [v.stage for v in found] for key, found in both.versions(world.model).items()} == {
            name: ["staging"] for name in names
        }
        assert [e.action for e in both.history(world.model)["mlflow"]] == [
            "registered",
            "aliased",
            "promoted",
        ]
        assert [len(found.versions) for found in both.compare([world.model]).values()] == [1, 1]


def test_the_command_line(project: Path) -> None:
    """Register, compare, be refused with exit code 1, approve, roll back, look at the history."""
    (project / "runcast.toml").write_text(
        '[registry.policy]\nstages = ["live"]\napproval = ["live"]\n[registry.policy.tags]\nlive = ["ok"]\n'
    )
    for text in "ab":
        (project / text).write_text(text)

    def run(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-c", "from runcast.cli import main; main()", "registry", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert json.loads(run("register", "m", "a", "--tag", "ok", "--json"))["versions"]["local"]["version"] == 1
    run("register", "m", "b", "--by", "bob", "--alias", "new")
    assert "tag ok: it has no such tag" in run("promote", "m:2", "live", code=1)
    run("tag", "m@new", "ok", "size=small", "--description", "the small one")
    assert json.loads(run("show", "m@new", "--json"))["versions"]["local"]["description"] == "the small one"
    assert "approval: nobody was asked" in run("promote", "m:1", "live", code=1)
    run("promote", "m:1", "live", "--approve", "zoe")
    run("promote", "m:2", "live", "--approve", "zoe", "--note", "better")
    assert '"stage":"live"' in run("rollback", "m", "--json").replace(" ", "")
    history = run("history", "m")
    assert "rolled back" in history
    assert "approved by zoe; better" in history
    assert "no alias 'none'" in run("show", "m@none", code=2)
    run("download", "m/live", "out")
    assert (project / "out" / "a").read_text() == "a"
    listed = json.loads(run("list", "--json"))
    assert [(v["version"], v["stage"]) for v in listed] == [(1, "live"), (2, "archived")]


def test_the_person_at_the_terminal_is_asked(project: Path) -> None:
    """Where the policy asks for approval: once for all registries, after what was checked; no is no."""
    (project / "runcast.toml").write_text(
        'backends = ["local", "mlflow"]\n[mlflow]\nuri = "sqlite:///m.db"\n[registry.policy]\n'
        'in_order = false\napproval = ["production"]\n'
        '[registry.policy.requires]\nproduction = ["acc >= 0.5"]\n'
    )
    folder = project / "net"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"x")
    with runcast.registry() as every:
        every.register("m", folder, metrics={"acc": 0.75}).check()
    code = "from runcast.cli import main; main()"

    def promote(answer: str) -> tuple[str, int | None]:
        child = pexpect.spawn(
            sys.executable, ["-c", code, "registry", "promote", "m", "production"], encoding="utf-8",
            timeout=120, dimensions=(40, 160), use_poll=True,
        )  # fmt: skip
        child.expect("acc >= 0.5: acc is 0.75")
        child.expect(r"Promote m:v1 to production\? \[y/N\]:")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return child.before or "", child.exitstatus

    said, code_of_no = promote("n")
    assert code_of_no == 1
    assert said.count("approval: it was not given") == 2
    said, code_of_yes = promote("y")
    assert code_of_yes == 0
    assert "Promote" not in said  # asked once
    with runcast.registry() as every:
        for events in every.history("m").values():
            assert [(e.action, e.approved_by == e.who) for e in events] == [
                ("registered", False), ("promoted", True)
            ]  # fmt: skip

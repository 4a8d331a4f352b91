"""The command line as a whole, and ``runcast plugins`` and ``runcast doctor``."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runcast.cli import app


class Answer(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], project: Path) -> Ask:
    """``ask("doctor", "--json")`` runs one command in an empty project."""
    (project / ".git").mkdir()

    def do(*arguments: str) -> Answer:
        try:
            app.run(list(arguments))
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return do


def findings(answer: Answer, section: str) -> list[dict[str, Any]]:
    """The findings of one part."""
    return [line for line in answer.json["findings"] if line["section"] == section]


def values(answer: Answer) -> dict[str, tuple[str, str]]:
    """Setting → (value, origin)."""
    return {line["key"]: (line["value"], line["origin"]) for line in answer.json["settings"]}


BROKEN = "raise SystemExit('no such luck')"
AWKWARD = """
    import time
    from pydantic import SecretStr
    from runcast.plugins import Backend, Capabilities, Finding, Options, hookimpl

    class AwkwardOptions(Options):
        mode: str = "fine"
        pin: SecretStr | None = None

    class Awkward(Backend):
        name = "awkward"
        Options = AwkwardOptions
        capabilities = Capabilities()
        environment = {"mode": "AWKWARD_MODE"}

        def open(self, run): ...
        def deliver(self, batch): ...

        @classmethod
        def diagnose(cls, options):
            if options.mode == "raise":
                raise SystemExit("password=hunter2")
            if options.mode == "hang":
                import threading
                threading.Event().wait(60)
            if options.mode == "print":
                print("noise on stdout")
            if options.mode == "bad":
                return [Finding(ok=False, what="no key for https://u:hunter2@h", mend="log in")]
            return [Finding(ok=True, what="all fine")]

    @hookimpl
    def runcast_backends():
        return [Awkward]
"""


@pytest.fixture
def install(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """``install(module, source)`` puts a plugin on the path."""

    def do(module: str, source: str) -> None:
        site = tmp_path_factory.mktemp("site")
        monkeypatch.syspath_prepend(str(site))
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        info = site / f"{module}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[runcast]\n{module} = {module}\n")

    return do


def test_help_lists_commands_without_loading_them() -> None:
    """``runcast --help`` names every command and imports none of their modules."""
    code = (
        "import sys\nfrom runcast.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('runcast.cli.') or m in ('pydantic', 'pluggy')))"
    )

    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)

    assert all(f" {c.name} " in done.stdout for c in app.COMMANDS if find_spec(c.module))
    assert done.stdout.splitlines()[-1] == "['runcast.cli.app']"


@pytest.mark.parametrize("command", [c for c in app.COMMANDS if find_spec(c.module)], ids=lambda c: c.name)
def test_every_command_explains_itself(command: app.Command, ask: Ask) -> None:
    """``runcast COMMAND --help`` works for each."""
    answer = ask(command.name, "--help")

    assert answer.code == 0
    assert "Usage: runcast" in answer.out


def test_version_and_unknown_commands(ask: Ask) -> None:
    """The version is said; a command that does not exist is a misuse."""
    assert ask("--version").out.startswith("runcast ")
    assert ask("nonsense").code == 2


def test_error_is_a_sentence(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong setting gives one line on stderr and exit code 2, no traceback."""
    monkeypatch.setenv("RUNCAST_DELIVERY", "post")

    answer = ask("status")

    assert answer.code == 2
    assert "`delivery` = 'post' (RUNCAST_DELIVERY)" in answer.err
    assert "Traceback" not in answer.err


def test_plugins_are_listed(ask: Ask, fake: Any) -> None:
    """Each plugin with its package and backends, for people and for machines."""
    answer = ask("plugins", "--json")

    assert answer.code == 0
    listed = {plugin["name"]: plugin for plugin in answer.json}
    assert listed["fake"]["backends"] == ["fake"]
    assert listed["fake"]["version"] == "1.0"
    own = ["local", "mlflow", "registries", "sources", "tensorboard", "wandb"]
    assert list(listed)[: len(own)] == own
    assert "fake_tracker" in ask("plugins").out


def test_broken_plugin_is_reported(ask: Ask, install: Callable[[str, str], None]) -> None:
    """A broken plugin shows its error, and the exit code says so, here and in the doctor."""
    install("sorry_plugin", BROKEN)

    assert ask("plugins").code == 1
    assert "SystemExit: no such luck" in ask("plugins").out
    doctor = ask("doctor", "--json")
    assert doctor.code == 1
    assert any("no such luck" in line["what"] and line["mend"] for line in findings(doctor, "plugins"))


def test_healthy_project(ask: Ask, project: Path) -> None:
    """With nothing wrong every finding is ok and the exit code is 0."""
    answer = ask("doctor", "--json")

    assert answer.code == 0, answer.out
    assert answer.json["ok"] is True
    assert values(answer)["dir"] == (".runcast", "default")
    assert "everything is well" in ask("doctor").out
    assert not (project / ".runcast").exists()


def test_origins_are_shown(ask: Ask, fake: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value stands beside the file or variable that set it."""
    file = project / "runcast.toml"
    file.write_text("backends = ['fake']\n[fake]\nfolder = 'x'\n")
    monkeypatch.setenv("RUNCAST_STRICT", "true")

    found = values(ask("doctor", "--json"))

    assert found["strict"] == ("true", "RUNCAST_STRICT")
    assert found["backends"] == ('["fake"]', str(file))
    assert found["fake.folder"] == ("x", str(file))


def test_no_secret_is_shown(
    ask: Ask, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    """Passwords in URLs, declared secrets and a backend's own careless words are masked everywhere."""
    install("awkward_one", AWKWARD)
    (project / "runcast.toml").write_text(
        "backends = ['awkward', 'mlflow']\n[awkward]\nmode = 'bad'\npin = 'hunter2'\n"
        "[mlflow]\nuri = 'postgresql://u:hunter2@127.0.0.1:9/db'\n"
    )

    for form in ([], ["--json"]):
        answer = ask("doctor", *form)
        assert answer.code == 1
        assert "hunter2" not in answer.out + answer.err
        assert "[redacted]" in answer.out


@pytest.mark.parametrize(
    ("mode", "words"),
    [("raise", "SystemExit"), ("hang", "no answer within 0.2 s"), ("bad", "no key")],
)
def test_backend_that_misbehaves(
    ask: Ask, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, mode: str, words: str
) -> None:
    """A backend that raises, hangs or complains is one finding with a mend; the others are still examined."""
    install(f"awkward_{mode}", AWKWARD)
    monkeypatch.setenv("RUNCAST_BACKENDS", "awkward,local")
    monkeypatch.setenv("AWKWARD_MODE", mode)

    answer = ask("doctor", "--json", "--timeout", "0.2")

    assert answer.code == 1
    bad = [line for line in findings(answer, "awkward") if not line["ok"]]
    assert words in bad[0]["what"]
    assert bad[0]["mend"]
    assert "hunter2" not in answer.out
    assert findings(answer, "local")
    assert values(answer)["awkward.mode"] == (mode, "AWKWARD_MODE")


def test_noise_of_a_backend_does_not_break_json(
    ask: Ask, install: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a backend prints goes to stderr."""
    install("awkward_noise", AWKWARD)
    monkeypatch.setenv("RUNCAST_BACKENDS", "awkward")
    monkeypatch.setenv("AWKWARD_MODE", "print")

    answer = ask("doctor", "--json")

    assert answer.json["ok"] is True
    assert "noise" in answer.err


def test_all_backends(ask: Ask, fake: Any) -> None:
    """``--all`` examines what is installed too; an option that only a configured one needs is no fault."""
    answer = ask("doctor", "--all", "--json")

    assert findings(answer, "fake")[0]["ok"] is True
    assert "`fake.folder` is required" in findings(answer, "fake")[0]["what"]
    assert findings(answer, "tensorboard")
    assert not findings(ask("doctor", "--json"), "tensorboard")


def test_wrong_configuration_does_not_stop_the_doctor(ask: Ask, project: Path) -> None:
    """A file that cannot be understood is a finding, and the rest is examined all the same."""
    (project / "runcast.toml").write_text("dir = \n")

    answer = ask("doctor", "--json")

    assert answer.code == 1
    assert "line 1" in findings(answer, "config")[0]["what"]
    assert findings(answer, "clock")


def test_unclaimed_names_are_found(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable and a table that nothing uses are said, each with its mend."""
    (project / "runcast.toml").write_text("[colleague]\nx = 1\n")
    monkeypatch.setenv("RUNCAST_COLLEAGUE", "1")

    found = [line for line in findings(ask("doctor", "--json"), "config") if not line["ok"]]

    assert [line["what"] for line in found] == [
        "nothing knows RUNCAST_COLLEAGUE",
        "[colleague] belongs to no installed backend",
    ]
    assert all(line["mend"] for line in found)


def test_folder_open_to_others(ask: Ask, project: Path) -> None:
    """Journals that others may read are a finding with the command that mends it."""
    folder = project / ".runcast"
    folder.mkdir()
    folder.chmod(0o755)

    bad = [line for line in findings(ask("doctor", "--json"), "folder") if not line["ok"]]
    assert bad[0]["mend"] == f"chmod 700 {folder}"
    folder.chmod(0o700)
    assert ask("doctor", "--json").code == 0


def test_folder_that_cannot_be_written(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder below a file, or on a read-only system, is found before a training is lost to it."""
    (project / "file").write_text("")
    monkeypatch.setenv("RUNCAST_DIR", "file/below")

    bad = [line for line in findings(ask("doctor", "--json"), "folder") if not line["ok"]]

    assert "cannot be written" in bad[0]["what"]
    assert "RUNCAST_DIR" in bad[0]["mend"]


def test_missing_package_of_a_configured_backend(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor says the same command that ``start`` would."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("RUNCAST_BACKENDS", "mlflow")

    answer = ask("doctor", "--json")

    assert answer.code == 1
    assert "pip install 'runcast[mlflow]'" in findings(answer, "mlflow")[0]["what"]


def test_current_folder_is_kept(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor looks from the project's folder and comes back."""
    inner = project / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    (project / "runcast.toml").write_text("")

    assert ask("doctor").code == 0
    assert Path.cwd() == inner


@pytest.mark.parametrize(
    ("shell", "code", "message"),
    [
        ("$0 -c '{call}' plugins > /dev/full", 1, "No space left on device"),
        ("PYTHONIOENCODING=ascii $0 -c '{call}' plugins", 0, ""),
        ("$0 -c '{call}' plugins >&-", 0, ""),
    ],
    ids=["full disk", "no Unicode", "closed"],
)
def test_an_output_that_cannot_take_everything(project: Path, shell: str, code: int, message: str) -> None:
    """A message and a true exit code, never a traceback."""
    command = shell.format(call="from runcast.cli import main; main()")
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, check=False)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_looks_at_tables_of_backends_that_are_not_chosen(ask: Ask, project: Path) -> None:
    """A slip there would come to light only on the day when a run goes to that backend."""
    toml = "backends = ['local']\n[mlflow]\nur = 'x'\n[wandb]\nmode = 'offline'\n[routes.mlflw]\nevery = 2\n"
    (project / "runcast.toml").write_text(toml)
    answer = ask("doctor", "--json")

    assert answer.code == 1
    (wrong,) = findings(answer, "mlflow")
    assert "do you mean `mlflow.uri`" in wrong["what"]
    assert any("[routes.mlflw] belongs to no" in line["what"] for line in findings(answer, "config"))
    assert values(answer)["wandb.mode"][0] == "offline"
    assert not findings(answer, "wandb")

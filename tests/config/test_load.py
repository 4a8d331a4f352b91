"""Settings come in layers, each value knows its origin, and every mistake names its mend."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcast.config import Config, Settings, load
from runcast.config.files import find_project
from runcast.errors import ConfigError


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    """Every test runs in an empty project."""
    (project / ".git").mkdir()


def settle(arguments: dict[str, Any] | None = None, start: Path | None = None, **environ: str) -> Config:
    """`load` in an environment of its own."""
    return load(arguments, environ=environ, start=start)


def test_defaults(project: Path) -> None:
    """With nothing configured every setting has its default and says so."""
    config = settle()

    assert config.settings == Settings()
    assert config.base == project
    assert config.dir == project / ".runcast"
    assert set(config.origins.values()) == {"default"}
    assert config.origins["profile.budget"] == "default"
    assert config.options == {}


def test_layers(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Arguments go before variables, those before the project's file, that before the user's file."""
    home = tmp_path_factory.mktemp("xdg")
    user = home / "runcast" / "config.toml"
    user.parent.mkdir()
    user.write_text(
        "dir = 'u'\ndurability = 'fsync'\nranks = 'all'\nstrict = true\n[mlflow]\na = 1\nb = 1\nc = 1\n"
    )
    file = project / "runcast.toml"
    file.write_text("dir = 'p'\nranks = 'zero'\nstrict = false\n[mlflow]\nb = 2\nc = 2\n")

    config = settle(
        {"dir": "a", "mlflow": {"d": 4}, "delivery": None},
        XDG_CONFIG_HOME=str(home),
        RUNCAST_DIR="e",
        RUNCAST_STRICT="true",
        RUNCAST_MLFLOW__C="3",
    )

    settings = config.settings
    assert (settings.dir, settings.strict, settings.ranks, settings.durability) == (
        "a",
        True,
        "zero",
        "fsync",
    )
    assert settings.delivery == "process"
    assert config.options == {"mlflow": {"a": 1, "b": 2, "c": "3", "d": 4}}
    assert config.files == (user, file)
    expected = {
        "dir": "argument",
        "strict": "RUNCAST_STRICT",
        "ranks": str(file),
        "durability": str(user),
        "delivery": "default",
        "mlflow.a": str(user),
        "mlflow.b": str(file),
        "mlflow.c": "RUNCAST_MLFLOW__C",
        "mlflow.d": "argument",
    }
    assert {key: config.origins[key] for key in expected} == expected


def test_values_of_variables() -> None:
    """Lists are comma-separated, tables and lists of a backend are JSON, empty means not set."""
    config = settle(
        RUNCAST_BACKENDS=" mlflow, wandb,mlflow ",
        RUNCAST_REDACT="*_pin",
        RUNCAST_ENABLED="false",
        RUNCAST_FINISH_TIMEOUT="2.5",
        RUNCAST_PROFILE__BUDGET="free",
        RUNCAST_DIR="",
        RUNCAST_WANDB__TAGS='["a", "b"]',
        RUNCAST_WANDB__NOTE="[not json",
        RUNCAST_WANDB__RETRY__MAX="3",
    )

    assert config.settings.backends == ["mlflow", "wandb"]
    assert config.settings.redact == ["*_pin"]
    assert config.settings.enabled is False
    assert config.settings.finish_timeout == 2.5
    assert config.settings.profile.budget == "free"
    assert config.settings.dir == ".runcast"
    assert config.options["wandb"] == {"tags": ["a", "b"], "note": "[not json", "retry": {"max": "3"}}
    assert config.origins["wandb.retry.max"] == "RUNCAST_WANDB__RETRY__MAX"


def test_variable_reaches_a_name_with_a_dash(project: Path) -> None:
    """Variables cannot spell a dash; the other layers say that one is meant."""
    (project / "runcast.toml").write_text("[my-tracker]\na = 1\n")

    config = settle({"backends": ["other-one"]}, RUNCAST_MY_TRACKER__A="2", RUNCAST_OTHER_ONE__B="3")

    assert config.options == {"my-tracker": {"a": "2"}, "other-one": {"b": "3"}}
    assert config.origins["my-tracker.a"] == "RUNCAST_MY_TRACKER__A"


def test_search_walks_up(project: Path) -> None:
    """The nearest file above counts, and relative paths are relative to its folder."""
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    (project / "runcast.toml").write_text("dir = 'logs'\n")
    (project / "a" / "pyproject.toml").write_text("[project]\ndependencies = ['runcast']\n")

    assert settle(start=inner).dir == project / "logs"

    (project / "a" / "pyproject.toml").write_text("[tool.runcast]\ndir = 'x'\n")
    assert settle(start=inner).dir == project / "a" / "x"

    (inner / "runcast.toml").write_text("")
    assert settle(start=inner).base == inner


def test_search_stops_at_a_repository(project: Path) -> None:
    """The settings of the project around are not those of a repository inside it."""
    (project / "runcast.toml").write_text("dir = 'outer'\n")
    inner = project / "vendored"
    inner.mkdir()
    (inner / ".git").write_text("gitdir: elsewhere\n")

    assert find_project(inner) is None
    assert settle(start=inner).dir == inner / ".runcast"


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde means the user's home; an absolute folder stays where it is."""
    monkeypatch.setenv("HOME", "/home/ada")

    assert settle({"dir": "~/runs"}).dir == Path("/home/ada/runs")
    assert settle({"dir": "/var/runs"}).dir == Path("/var/runs")


CYCLE: dict[str, Any] = {}
CYCLE["mlflow"] = {"inner": CYCLE}
DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"d": DEEP}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"strikt": True}, "argument: there is no setting `strikt`; do you mean `strict`?"),
        ({"nonsense": True}, "known: backends, capture"),
        ({"profile": {"budgt": "free"}}, "do you mean `profile.budget`?"),
        (
            {"profile": {"budget": "cheap"}},
            "`profile.budget` = 'cheap' (argument): allowed: free, limited, ent",
        ),
        ({"profile": 3}, "`profile` is a table with team_size"),
        ({"delivery": "post"}, "`delivery` = 'post' (argument): allowed: process, thread, later"),
        ({"strict": "maybe"}, "allowed: true, false"),
        ({"finish_timeout": "soon"}, "Expected `float`"),
        ({"finish_timeout": -1}, ">= 0"),
        ({"finish_timeout": float("nan")}, "finish_timeout"),
        ({"finish_timeout": float("inf")}, "finish_timeout"),
        ({"dir": ""}, "length >= 1"),
        ({"dir": "a\0b"}, "NUL"),
        ({"dir": {"x": 1}}, "`dir` is a single value, not a table"),
        ({"backends": 3}, "Expected `array`"),
        ({"backends": [3]}, "`backends` = [3]"),
        ({"mlflow": "x"}, "there is no setting `mlflow`"),
        (CYCLE, "contains itself"),
        ({"mlflow": DEEP}, "nested deeper than 32"),
        ({"mlflow": {"x": object()}}, "configuration.mlflow.x: a object cannot be written down"),
        ({"mlflow": {3: 1}}, "names must be text, not int"),
        ({"delivery": "https://u:hunter2@h"}, "https://u:[redacted]@h"),
    ],
    ids=range(22),
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    """Each mistake names the setting, its value, its origin and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        settle(arguments)

    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RUNCAST_BACKEND", "x", "do you mean RUNCAST_BACKENDS?"),
        ("RUNCAST_DELIVERY", "post", "(RUNCAST_DELIVERY): allowed: process"),
        ("RUNCAST_PROFILE__BUDGT", "free", "RUNCAST_PROFILE__BUDGT: there is no setting `profile.budgt`"),
        ("RUNCAST_DIR__X", "1", "RUNCAST_DIR__X: `dir` is a single value"),
    ],
)
def test_wrong_variables(name: str, value: str, words: str) -> None:
    """A variable that clearly aims at a setting and misses is refused by its own name."""
    with pytest.raises(ConfigError) as caught:
        settle(**{name: value})

    assert words in str(caught.value)


def test_strange_variables_are_left_for_the_doctor() -> None:
    """A variable that resembles no setting stops nothing; it is listed."""
    config = settle(
        RUNCAST_COLLEAGUE="1", RUNCAST_PLUGINS="", RUNCAST___X="1", RUNCAST_A__B="1", RUNCAST_A__B__C="2"
    )

    assert config.ignored == ("RUNCAST_A__B__C", "RUNCAST_COLLEAGUE", "RUNCAST___X")
    assert config.options == {"a": {"b": "1"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"dir = \n", "line 1"),
        (b"dir = 'a'\nstrict = 'caf\xe9'\n", "line 2: is not UTF-8"),
        (b"dir = 1\n", "`dir` = 1"),
        (b"nonsense = 1\n", "there is no setting `nonsense`"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "deep"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
    ],
    ids=range(6),
)
def test_wrong_file(project: Path, content: bytes, words: str) -> None:
    """An error in a file names the file, and the line where that is known."""
    (project / "runcast.toml").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        settle()

    assert str(project / "runcast.toml") in str(caught.value)
    assert words in str(caught.value)


def test_file_with_a_byte_order_mark(project: Path) -> None:
    """An editor's byte order mark does no harm."""
    (project / "runcast.toml").write_bytes(b"\xef\xbb\xbfdir = 'x'\n")

    assert settle().settings.dir == "x"


def test_what_is_no_file(project: Path) -> None:
    """A folder, a FIFO, a link loop, or a file that may not be read gives an error and never hangs."""
    path = project / "runcast.toml"
    path.mkdir()
    with pytest.raises(ConfigError, match="no ordinary file"):
        settle()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="no ordinary file"):
        settle()
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        settle()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(project: Path) -> None:
    """A file without permission is an error, not as if it were absent."""
    path = project / "runcast.toml"
    path.write_text("dir = 'x'\n")
    path.chmod(0)

    with pytest.raises(ConfigError, match="Permission denied"):
        settle()


def test_wrong_tool_section(project: Path) -> None:
    """``tool.runcast`` that is no table is named."""
    (project / "pyproject.toml").write_text("[tool]\nruncast = 3\n")

    with pytest.raises(ConfigError, match=r"\[tool.runcast\] must be a table"):
        settle()


def test_vanished_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder that was deleted is said in words."""
    gone = project / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(ConfigError, match="current folder is gone"):
        load(environ={})


def test_config_travels() -> None:
    """Worker processes get the configuration by pickle; its text shows no options, which may be secret."""
    config = settle({"mlflow": {"uri": "https://u:hunter2@h"}})

    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301  # our own bytes
    assert "hunter2" not in repr(config)


def test_loading_imports_nothing_heavy() -> None:
    """The training thread pays for no pydantic, no pluggy and no terminal library."""
    heavy = (
        "{'pydantic', 'pluggy', 'typer', 'rich', 'asyncio', 'http', 'email', 'numpy', 'importlib.metadata'}"
    )
    code = (
        "import sys; from runcast.config import load; from runcast.config.preflight import preflight\n"
        f"import runcast.normalize; load(); print(sorted(set(sys.modules) & {heavy}))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


names = st.sampled_from([*Settings.__struct_fields__, "mlflow", "profile.budget", "x"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.dictionaries(names, values, max_size=3))
def test_any_configuration_loads_or_is_refused_in_words(arguments: dict[str, Any]) -> None:
    """Whatever is handed over, the answer is a configuration or a ConfigError."""
    try:
        config = settle(arguments)
    except ConfigError:
        return
    assert isinstance(config.settings.finish_timeout, float)
    assert all(isinstance(name, str) for name in config.settings.backends)

"""Every failure says what happens next: try again, give the batch up, or stop until it is mended."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runcast.backends.mlflow.errors import translate
from runcast.backends.mlflow.uris import Store as Place
from runcast.backends.mlflow.uris import mask, parse
from runcast.errors import Halt, Reject, Retry
from runcast.records import Params

from .lives import START, Life, Store, metrics
from .servers import free_port, stub

Lives = Callable[..., Life]


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "mlruns"])
def test_folders_are_no_store_any_more(life: Lives, uri: str) -> None:
    """MLflow 3 refuses the file store; the message says what to set and how to bring runs along."""
    with pytest.raises(
        Halt, match=r"set uri to a database, such as sqlite:///mlflow.db.*runcast migrate mlflow:"
    ):
        life(uri=uri).open()


def test_a_database_in_memory_is_refused(life: Lives) -> None:
    """It would be gone with the process."""
    with pytest.raises(Halt, match="nothing would be kept"):
        life(uri="sqlite://").open()


@pytest.mark.parametrize(
    ("status", "expected"), [(401, Halt), (403, Halt), (404, Halt), (429, Retry), (500, Retry), (503, Retry)]
)
def test_answers_of_a_server(life: Lives, status: int, expected: type[Exception]) -> None:
    """Credentials and a wrong address halt; a busy or broken server is tried again."""
    with stub(status) as uri:
        address = uri.replace("http://", "http://ada:s3cret@")
        with pytest.raises(expected) as caught:
            life(uri=address).open()

    assert uri.removeprefix("http://") in str(caught.value)
    assert "s3cret" not in str(caught.value)
    if status in (401, 403):
        assert "MLFLOW_TRACKING_TOKEN" in str(caught.value)
    if status == 404:
        assert "Correct uri" in str(caught.value)


def test_no_server_at_all(life: Lives) -> None:
    """Connection refused comes back at once, to be tried again; no password in the text."""
    with pytest.raises(Retry) as caught:
        life(uri=f"http://ada:s3cret@127.0.0.1:{free_port()}").open()

    assert "s3cret" not in str(caught.value)


def test_no_database_server(life: Lives) -> None:
    """A database that is away is tried again by the courier, not for a minute and a half by MLflow."""
    with pytest.raises(Retry) as caught:
        life(
            uri=f"postgresql+psycopg://ada:s3cret@127.0.0.1:{free_port()}/x",
        ).open()

    assert "s3cret" not in str(caught.value)


def test_a_missing_driver(life: Lives) -> None:
    """The message names the package."""
    with pytest.raises(Halt, match="pip install 'mysqlclient'"):
        life(uri="mysql://root@127.0.0.1/x").open()


def test_the_schema_of_another_version(life: Lives, sqlite: str) -> None:
    """A database that another MLflow wrote halts, with the command that moves it."""
    with sqlite3.connect(sqlite.removeprefix("sqlite:///")) as connection:
        connection.execute("update alembic_version set version_num = '0a8213491aaa'")
    connection.close()
    with pytest.raises(Halt, match="mlflow db upgrade"):
        life().open()


def test_no_database_file(life: Lives, tmp_path: Path) -> None:
    """A file that is something else halts and is left as it is."""
    (tmp_path / "mlflow.db").write_text("these are no pages of a database, and quite a few of them " * 20)
    with pytest.raises(Halt, match="is no SQLite database"):
        life().open()

    assert (tmp_path / "mlflow.db").read_text().startswith("these are no pages")


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    """SQLite's own error, amid what SQLAlchemy says of it: tried again, and the mend is told."""
    import sqlalchemy
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Row(Base):
        __tablename__ = "rows"
        key = mapped_column(sqlalchemy.String, primary_key=True)

    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'small.db'}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.execute(sqlalchemy.text("pragma max_page_count = 4"))
        session.add(Row(key="x" * 50_000))
        with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
            session.query(Row).all()  # writes the new row first, as MLflow's log_batch does
    engine.dispose()

    told = translate(caught.value, parse(f"sqlite:///{tmp_path / 'small.db'}", tmp_path.joinpath))
    assert isinstance(told, Retry)
    assert str(told).startswith("no room is left for sqlite:////")
    assert "autoflush" not in str(told)
    assert str(told).endswith("((sqlite3.OperationalError) database or disk is full): free space")


def test_a_deleted_experiment(life: Lives, store: Store) -> None:
    """An experiment in MLflow's trash halts, with the command that restores it."""
    number = store.client.create_experiment("digits")
    store.client.delete_experiment(number)
    with pytest.raises(Halt, match=f"mlflow experiments restore --experiment-id {number}"):
        life().open()


def test_a_run_that_is_gone(life: Lives, fresh_database: bytes, tmp_path: Path) -> None:
    """A database without the run that the state names halts instead of beginning in the middle."""
    one = life()
    one.deliver(metrics(0, loss=1.0))
    one.backend = None
    one.uri = f"sqlite:///{tmp_path}/other.db"
    (tmp_path / "other.db").write_bytes(fresh_database)
    with pytest.raises(Halt, match="is gone from MLflow"):
        one.open()


def test_what_mlflow_refuses_is_named(life: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that the store does not take is rejected with its name."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuses(*args: object, **kwargs: object) -> None:
        raise MlflowException.invalid_parameter_value("too new")

    one = life()
    one.open()
    monkeypatch.setattr(MlflowClient, "log_batch", refuses)
    with pytest.raises(Reject, match=r"too new \(names: lr\)"):
        one.deliver(Params(time=START, values={"lr": 1}))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), Retry),
        (PermissionError(13, "Permission denied"), Halt),
        (ConnectionResetError("reset"), Retry),
        (ModuleNotFoundError("No module named 'boto3'", name="boto3"), Halt),
        (ValueError("odd"), Reject),
    ],
)
def test_errors_outside_mlflow(error: Exception, expected: type[Exception]) -> None:
    """The disk, the network and missing packages are told apart."""
    assert type(translate(error, Place("http://x", "http"))) is expected


def test_passwords_are_masked() -> None:
    """Whatever form the URL has."""
    for text in [
        "http://ada:s3cret@host/x", "postgresql://ada:s3:c/r@t@host:5/x", "https://s3cret@host",
        "postgresql://host/x?user=ada&password=s3cret&y=1",
    ]:  # fmt: skip
        assert "s3" not in mask(f"failed: {text} (refused)")
        assert "host" in mask(text)
    ref = parse("https://ada:s3cret@host:8/base/", Path).ref("r", "7")
    assert (ref.url, ref.command) == ("https://host:8/base/#/experiments/7/runs/r", "")
    assert "s3cret" not in parse("postgresql://ada:s3cret@host/x", Path).ref("r", "7").url


_FIRST = """
import sys
from pathlib import Path
from runcast.backends.mlflow import MlflowBackend, MlflowOptions
from runcast.plugins import OpenRun
from runcast.records import Metrics, RunStarted
root, name = Path(sys.argv[1]), sys.argv[2]
(root / name).mkdir()
started = RunStarted(time=1, run=name, experiment="shared", name=name, base=str(root))
backend = MlflowBackend(MlflowOptions())
sys.stdin.readline()
backend.open(OpenRun(id=name, started=started, folder=root / name, blobs=root))
backend.deliver([Metrics(time=1, step=0, values={"loss": 1.0})])
backend.close()
"""


def test_two_processes_create_the_database(tmp_path: Path) -> None:
    """Both runs arrive in one experiment of one fresh database, and neither prints a word."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _FIRST, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean,
        )
        for name in ("a", "b")
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in both] == [b"", b""]

    assert len(Store(f"sqlite:///{tmp_path}/mlflow.db").runs("shared")) == 2


def test_importing_the_plugin_imports_no_sdk() -> None:
    """Configuration and the list of plugins stay fast."""
    code = "import sys, runcast.backends.mlflow; print(sorted({'mlflow', 'sqlalchemy'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert out.stdout.strip() == "[]"


def test_the_users_own_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's variables are set only where the user was silent."""
    from runcast.backends.mlflow.client import prepare

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    prepare(10)

    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"

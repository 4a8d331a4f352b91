"""PostgreSQL, on a real server: the one named by RUNCAST_TEST_POSTGRES, or one started here.

Debian and its kin keep the server's programs in ``/usr/lib/postgresql/<version>/bin``. The server refuses
to run as root; started by root, it runs as ``nobody``.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcast.errors import Halt
from runcast.records import Artifact, Params, Tags

from ...support.listening import only_on_loopback
from .lives import START, Life, Store, metrics
from .servers import free_port

VARIABLE = "RUNCAST_TEST_POSTGRES"


def programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def as_user(*command: str) -> None:
    """Run a command as somebody who is not root, quietly."""
    prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryFile() as log:
        done = subprocess.run([*prefix, *command], stdout=log, stderr=log, check=False, cwd="/")
        log.seek(0)
        assert done.returncode == 0, log.read().decode()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URI of a server without a database name, such as ``postgresql+psycopg://ada@host:5432``."""
    given = os.environ.get(VARIABLE)
    if given:
        yield given.rstrip("/")
        return
    folder = programs()
    if folder is None:
        reason = (
            f"no PostgreSQL: install it (apt-get install postgresql), or set {VARIABLE} to a server's URI"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    root, port = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp")), free_port()
    try:
        if os.geteuid() == 0:
            shutil.chown(root, "nobody", "nogroup")
        data = str(root / "data")
        as_user(f"{folder}/initdb", "-D", data, "-U", "ada", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c fsync=off"
        as_user(f"{folder}/pg_ctl", "-D", data, "-w", "-l", str(root / "log"), "-o", options, "start")
        try:
            only_on_loopback(int(Path(data, "postmaster.pid").read_text().split()[0]))
            yield f"postgresql+psycopg://ada@127.0.0.1:{port}"
        finally:
            as_user(f"{folder}/pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def database(server: str) -> str:
    """The URI of a fresh database."""
    import psycopg

    name = f"runcast_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return f"{server}/{name}"


def test_a_whole_run(database: str, tmp_path: Path) -> None:
    """The tables are made, and a run arrives with everything; again, and nothing changes."""
    one, store = Life(tmp_path, database), Store(database)
    batch = one.numbered(
        [
            Params(time=START, values={"lr": 0.1, "long": "p" * 7000, "nul": "a\0b", "empty": ""}),
            *(metrics(step, loss=1 / (step + 3), tiny=5e-324) for step in range(-1, 150)),
            metrics(2**63 - 1, at=START, nan=math.nan, up=math.inf, **{"n#" + "ä" * 300: 1.0}),
            Tags(time=START, values={"long": "t" * 9000, "sur": "\udc00", "": ""}),
            Artifact(time=START, name="m", type="model", files=[one.blob("m.bin", b"M")], digest="1" * 64),
            one.finished("killed"),
        ]
    )
    ref = one.open()
    one.deliver(*batch, ack=False)
    before = store.everything()
    one.deliver(*batch)

    assert store.everything() == before
    run = store.run()
    assert (ref.id, run.info.status) == (run.info.run_id, "KILLED")
    ms = START // 10**6
    points = {step: (time, value) for step, time, value in store.points("loss")}
    assert points == {step: (ms + 1000 * step, 1 / (step + 3)) for step in range(-1, 150)}
    assert store.points("tiny")[0][2] == 5e-324
    assert math.isnan(store.points("nan")[0][2])
    assert store.points("nan")[0][0] == 2**63 - 1
    assert (run.data.params["lr"], run.data.params["nul"], run.data.params["empty"]) == ("0.1", "a\\x00b", "")
    assert store.files()["m/m.bin"] == b"M"
    assert list(tmp_path.glob("mlruns/digits/*/artifacts/m/m.bin"))


def test_long_names(database: str, tmp_path: Path) -> None:
    """PostgreSQL checks the width of its columns where SQLite does not."""
    long = "n" * 600
    one = Life(tmp_path, database, experiment=long, name=long, user=long, group=long, host=long)
    one.deliver(metrics(0, loss=1.0))

    found = Store(database).client.search_experiments(filter_string="name LIKE 'nnn%'")
    assert len(found) == 1


def test_no_such_database(server: str, tmp_path: Path) -> None:
    """A database that nobody made halts, with its name."""
    with pytest.raises(Halt, match=r"nowhere.*create the database"):
        Life(tmp_path, f"{server}/nowhere").open()

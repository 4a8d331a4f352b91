"""The local backend as the courier uses it, read back with the sqlite3 module."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runcast import catalog
from runcast.backends import local
from runcast.backends.local import LocalBackend
from runcast.errors import Halt, Retry
from runcast.records import Artifact, FileRef, Lost, Media, Metrics, Note, Params, RunFinished, Tags, split

if TYPE_CHECKING:
    from journals import Folder

T = 1_700_000_000_000_000_000
HAMMER = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from pathlib import Path
    from journals import Folder
    folder, run, size = Folder(Path(sys.argv[2])), sys.argv[3], int(sys.argv[4])
    backend = folder.open(run)
    records = folder.records(run)
    for start in range(0, len(records), size):
        backend.deliver(records[start:start + size])
        print(start, flush=True)
    backend.close()
"""


def hammer(rc: Folder, run: str, size: int) -> subprocess.Popen[str]:
    """Another process that delivers a run in small batches."""
    support = str(Path(__file__).parents[2] / "support")
    command = [sys.executable, "-c", textwrap.dedent(HAMMER), support, str(rc.dir), run, str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_plugin_offers_the_backend() -> None:
    """The entry point holds the hook, and every capability is declared."""
    assert list(local.runcast_backends()) == [LocalBackend]
    levels = {name: value["level"] for name, value in LocalBackend.capabilities.model_dump().items()}
    assert set(levels.values()) == {"native"}


def test_what_a_run_said_stands_in_tables(rc: Folder) -> None:
    """Run, params, tags, note, summaries, media, artifacts and losses, by plain SQL."""
    file = FileRef("w.bin", "ab" * 32, 7)
    rc.run(
        "r1",
        Note(time=T, text="old"),
        Note(time=T, text="new"),
        Media(time=T + 1, key="sample", step=3, type="text", text="hello"),
        Artifact(time=T, name="m", type="model", files=[file], digest="d" * 64, aliases=["best"]),
        Lost(time=T, key="x", reason="not a number", count=2, detail="'abc'"),
        Lost(time=T, key="x", reason="not a number"),
        name="first",
        user="ann",
        params={"lr": 0.1, "opt": "adam"},
        tags={"task": "cls"},
        metrics={"loss": [3.0, 1.0, 2.0]},
    )

    rc.deliver("r1")

    assert rc.sql("SELECT id, experiment, name, user, status, start_ns, points, lost, note FROM runs") == [
        ("r1", "digits", "first", "ann", "finished", T, 3, 3, "new")
    ]
    assert rc.sql("SELECT end_ns - start_ns FROM runs") == [(90 * 10**9,)]
    assert rc.sql("SELECT key, json FROM params ORDER BY key") == [("lr", "0.1"), ("opt", '"adam"')]
    assert rc.sql("SELECT key, value FROM tags") == [("task", "cls")]
    assert rc.sql("SELECT key, count, step, first, last, min, max FROM metrics") == [
        ("loss", 3, 2, 3.0, 2.0, 1.0, 3.0)
    ]
    assert rc.sql("SELECT key, step, text FROM media") == [("sample", 3, "hello")]
    assert rc.sql("SELECT name, type, digest, aliases FROM artifacts") == [
        ("m", "model", "d" * 64, '["best"]')
    ]
    assert rc.sql("SELECT key, reason, count FROM losses") == [("x", "not a number", 3)]


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -0.0, True, False, 2**63 - 1, -(2**70), 10**400, 5e-324, 7]
)
def test_numbers_come_back_exactly(rc: Folder, value: float) -> None:
    """NaN, infinities, signed zero, bools and ints of any size keep value and type."""
    rc.run("r1", metrics={"x": [value]}, params={"p": value})
    rc.deliver("r1")

    run = catalog.run("r1", dir=rc.dir)

    assert (repr(run.metrics["x"].last), repr(run.params["p"])) == (repr(value), repr(value))
    assert repr(run.history("x")["x"][0][2]) == repr(value)


def test_the_file_is_private_and_in_wal_mode(rc: Folder) -> None:
    """Nobody else may read the catalog or its companions, and readers never block writers."""
    rc.run("r1")
    backend = rc.open("r1")
    backend.deliver(rc.records("r1"))

    files = sorted(rc.dir.glob("catalog.db*"))
    modes = {stat.S_IMODE(file.stat().st_mode) for file in files}
    backend.close()

    assert len(files) >= 3
    assert modes == {0o600}
    assert rc.sql("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.fault(
    "F25",
    how="batches again, cut differently",
    outcome="the catalog is the same",
)
def test_a_redelivered_batch_changes_nothing(rc: Folder) -> None:
    """Counts stay, whatever comes twice and however it is cut."""
    from journals import dump

    records = rc.run("r1", metrics={"loss": [1.0, 2.0, 3.0, 4.0]})
    rc.deliver("r1")
    before = dump(rc.layout.catalog)

    backend = rc.open("r1")
    backend.deliver(records[2:])
    backend.deliver(records)
    backend.close()

    assert dump(rc.layout.catalog) == before
    assert rc.sql("SELECT points FROM runs") == [(4,)]


def test_parts_of_one_record_all_count_once(rc: Folder) -> None:
    """The courier may cut a record by its names; the parts share its number."""
    records = rc.run("r1", Metrics(time=T, step=0, values={"a": 1, "b": 2, "c": 3}), status=None)
    parts = split(records[-1])
    backend = rc.open("r1")
    backend.deliver(records[:-1])

    backend.deliver(parts[:1])
    backend.deliver(parts[1:])
    backend.deliver(parts)
    backend.close()

    assert rc.sql("SELECT key, count, last FROM metrics ORDER BY key") == [
        ("a", 1, 1),
        ("b", 1, 2),
        ("c", 1, 3),
    ]
    assert rc.sql("SELECT points FROM runs") == [(3,)]


def test_eight_processes_fill_one_catalog(rc: Folder) -> None:
    """They race to make it and hammer it at once: no error, nothing lost, nothing doubled."""
    runs = [f"run{i}" for i in range(8)]
    for run in runs:
        rc.run(run, metrics={"loss": [float(i) for i in range(200)]}, params={"me": run})

    processes = [hammer(rc, run, 10) for run in runs]
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]

    assert outcomes == [("", 0)] * 8
    assert rc.sql("SELECT id, points, status FROM runs ORDER BY id") == [(r, 200, "finished") for r in runs]
    assert rc.sql("SELECT COUNT(*), SUM(count), MIN(last) FROM metrics") == [(8, 1600, 199.0)]


def test_a_process_killed_between_batches_loses_and_doubles_nothing(rc: Folder) -> None:
    """After kill -9 the courier begins again with its last cursor, here with none at all."""
    from journals import Folder, dump

    rc.run("r1", metrics={"loss": [float(i) for i in range(400)]})
    process = hammer(rc, "r1", 2)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    rc.deliver("r1")

    clean = Folder(rc.dir.parent / "clean")
    shutil.copytree(rc.layout.runs, clean.layout.runs)
    clean.deliver("r1")
    assert dump(rc.layout.catalog) == dump(clean.layout.catalog)


def test_a_newer_catalog_halts_and_is_left_alone(rc: Folder) -> None:
    """The message names both versions and the mend; not a byte changes."""
    rc.run("r1")
    rc.deliver("r1")
    rc.sql("PRAGMA user_version = 99")
    before = rc.layout.catalog.read_bytes()

    with pytest.raises(Halt, match=r"version 99.*pip install -U runcast"):
        rc.open("r1")

    assert rc.layout.catalog.read_bytes() == before


def test_a_database_of_something_else_halts_and_is_left_alone(rc: Folder, tmp_path: Path) -> None:
    """Pointing the catalog at another tool's file must not cost that file."""
    other = tmp_path / "mlflow.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    before = other.read_bytes()
    rc.run("r1")

    with pytest.raises(Halt, match="database of something else"):
        rc.open("r1", path=str(other))

    assert other.read_bytes() == before


@pytest.mark.parametrize("damage", ["garbage", "empty", "older", "half"])
def test_an_unusable_catalog_is_moved_aside_and_made_anew(rc: Folder, damage: str) -> None:
    """Every run is there again, from the journals; the old file is kept under another name."""
    states: dict[str, dict[str, object]] = {"r1": {}, "r2": {}}
    for run, state in states.items():
        rc.run(run, metrics={"loss": [1.0, 2.0]})
        rc.deliver(run, state=state)
    path = rc.layout.catalog
    rc.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    if damage == "older":
        rc.sql("PRAGMA user_version = 0")
    else:
        whole = path.read_bytes()
        path.write_bytes({"garbage": b"\x00nonsense" * 999, "empty": b"", "half": whole[:100]}[damage])
    old = path.read_bytes()

    rc.open("r1", states["r1"]).close()

    assert [file.read_bytes() for file in rc.dir.glob("catalog.db.*-20*")] == [old]
    assert [(run.id, run.points) for run in catalog.runs(sort="id", dir=rc.dir)] == [("r1", 2), ("r2", 2)]


def test_a_catalog_that_breaks_while_open_is_replaced(rc: Folder) -> None:
    """The courier is told to try again, and the next instance works on a new file."""
    records = rc.run("r1", metrics={"loss": [float(i) for i in range(50)]}, params={"big": "x" * 100_000})
    state: dict[str, object] = {}
    backend = rc.open("r1", state)
    backend.deliver(records[:3])
    rc.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = rc.layout.catalog.stat().st_size
    with rc.layout.catalog.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xee" * (size - 4096))

    with pytest.raises(Retry, match="corrupt"):
        backend.deliver(records[3:])
    backend.close()
    again = rc.open("r1", state)
    again.deliver(records[3:])
    again.close()

    assert len(list(rc.dir.glob("catalog.db.corrupt-*"))) >= 1
    run = catalog.run("r1", dir=rc.dir)
    assert (run.points, run.params["big"], run.status) == (50, "x" * 100_000, "finished")


def test_a_catalog_deleted_between_batches_is_noticed(rc: Folder) -> None:
    """Nothing is acknowledged into a file that no one can find, and the run is whole again."""
    records = rc.run("r1", metrics={"loss": [1.0, 2.0, 3.0]})
    state: dict[str, object] = {}
    backend = rc.open("r1", state)
    backend.deliver(records[:4])
    for file in rc.dir.glob("catalog.db*"):
        file.unlink()

    with pytest.raises(Retry, match="replaced"):
        backend.deliver(records[4:])
    backend.close()
    again = rc.open("r1", state)
    again.deliver(records[4:])
    again.close()

    assert catalog.run("r1", dir=rc.dir).metrics["loss"].count == 3


def test_the_path_option_moves_the_file(rc: Folder, tmp_path: Path) -> None:
    """A relative path starts at the project's folder, and the reference names the file."""
    from journals import Folder, ask

    records = Folder.run(rc, "r1", base=str(tmp_path))
    backend = rc.open("r1", path="elsewhere/index.db")
    backend.deliver(records)
    backend.close()

    assert ask(tmp_path / "elsewhere" / "index.db", "SELECT id FROM runs") == [("r1",)]
    assert not rc.layout.catalog.exists()


def test_a_busy_catalog_asks_for_a_retry(rc: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that holds the file for long does not cost the batch."""
    monkeypatch.setattr("runcast.catalog.database.BUSY_SECONDS", 0.01)
    records = rc.run("r1")
    backend = rc.open("r1")
    other = sqlite3.connect(rc.layout.catalog, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Retry, match="locked"):
        backend.deliver(records)
    other.execute("ROLLBACK")
    other.close()
    backend.deliver(records)
    backend.close()

    assert rc.sql("SELECT status FROM runs") == [("finished",)]


def test_doctor_says_whether_the_folder_can_be_written(tmp_path: Path) -> None:
    """A path below a file is found out, with the mend."""
    (tmp_path / "ok").mkdir()

    good = LocalBackend.diagnose(LocalBackend.Options(path=str(tmp_path / "ok" / "deep" / "catalog.db")))
    bad = LocalBackend.diagnose(LocalBackend.Options(path="/proc/catalog.db"))

    assert all(finding.ok for finding in good)
    assert [finding.ok for finding in bad] == [True, os.access("/proc", os.W_OK)]


def test_writers_that_come_and_go_give_one_status(rc: Folder) -> None:
    """Running until all who began are done; a resumed run is as its last process left it."""
    rc.run("r1", status=None, metrics={"loss": [1.0]})
    crashed = rc.records("r1")[0].writer
    rc.write("r1", [RunFinished(time=T + 10**11, status="crashed", of=crashed)])
    rc.deliver("r1")
    assert rc.sql("SELECT status FROM runs") == [("crashed",)]

    rc.run("r1", status=None, resumed=True, start=T + 2 * 10**11)
    rc.deliver("r1")
    assert rc.sql("SELECT status, end_ns, start_ns FROM runs") == [("running", None, T)]

    rc.run("r1", Params(time=T, values={"x": 1}), Tags(time=T, values={}), start=T + 3 * 10**11)
    rc.deliver("r1")
    resumed = next(r.writer for r in rc.records("r1") if r.time == T + 2 * 10**11)
    rc.write("r1", [RunFinished(time=T + 5 * 10**11, status="killed", error="stop", of=resumed)])
    rc.deliver("r1")
    assert rc.sql("SELECT status, end_ns, error FROM runs") == [("killed", T + 5 * 10**11, "stop")]

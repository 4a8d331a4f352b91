"""What `runcast.testing` gives to tests of scripts: fixtures, faulty backends, a clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runcast
from runcast import testing
from runcast.courier.delivery import Delivery
from runcast.errors import Halt, Reject, Retry
from runcast.journal import Layout
from runcast.testing import (
    ChaosBackend,
    Courier,
    FailingBackend,
    FakeClock,
    MemoryBackend,
    NullBackend,
    recorded,
)
from runcast.testing.golden import small, training
from runcast.testing.readback import Model

SCRIPT_TEST = """
import runcast
from runcast.testing import recorded

def test_fixtures(runcast_run, runcast_dir, fake_clock):
    runcast.log({"loss": 0.5}, step=3)
    assert [(s, v) for s, _, v in recorded(runcast_run).metrics["loss"]] == [(3, 0.5)]
    assert runcast_dir.is_dir() and runcast_dir.stat().st_mode & 0o77 == 0
    fake_clock.advance(60)
    assert fake_clock() == 60

def test_misuse_raises(runcast_run):
    import pytest
    with pytest.raises(runcast.UsageError):
        runcast_run.log({"loss": object()})

def test_nothing_is_left(runcast_dir):
    assert runcast.current_run() is None
"""


def python(*arguments: str, cwd: Path | None = None, **environment: str) -> str:
    """The output of a child, which must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_fixtures_work(tmp_path: Path) -> None:
    """A strict run into memory, a private folder, a clock; nothing of it outlives the test."""
    (tmp_path / "test_script.py").write_text(SCRIPT_TEST)
    out = python(
        "-m", "pytest", "-q", "-W", "error", "-p", "runcast.testing.pytest_plugin", "-p", "no:cacheprovider",
        cwd=tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", RUNCAST_BACKENDS="nonsense",
    )  # fmt: skip

    assert "3 passed" in out
    assert not (tmp_path / ".runcast").exists()


def test_nothing_heavy_is_imported_unasked() -> None:
    """`import runcast` loads nothing of this; this and the pytest plugin load nothing of what they need."""
    heavy = "{'pytest', 'hypothesis', 'runcast.testing', 'pydantic', 'pluggy', 'runcast.plugins'}"
    seen = f"print(sorted({heavy} & set(sys.modules)))"

    assert python("-c", f"import sys, runcast; {seen}").strip() == "[]"
    assert python("-c", f"import sys, runcast.testing; {seen}").strip() == "['runcast.testing']"
    plugin = python("-c", f"import sys, pytest; import runcast.testing.pytest_plugin; {seen}").strip()
    assert plugin in ("['pytest', 'runcast.testing']", "['pluggy', 'pytest', 'runcast.testing']")


def test_every_public_name_is_there() -> None:
    """What the package lists it has; what it has not is an error that names it."""
    assert all(getattr(testing, name) is not None for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SourceKit'"):
        testing.__getattr__("SourceKit")


def test_the_clock_moves_when_told() -> None:
    """It never goes back, sleeps in no time, and counts ns."""
    clock = FakeClock(1.5)
    clock.sleep(2)

    assert (clock(), clock.time_ns()) == (3.5, 3_500_000_000)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_a_script_logs_to_memory(tmp_path: Path) -> None:
    """A run whose backend is a class is delivered here, and can be looked at while it goes on."""
    config = {"dir": str(tmp_path / "rc")}
    with runcast.start("e", name="n", params={"lr": 0.1}, backends=[MemoryBackend], config=config) as run:
        run.log({"loss": 1.0}, step=0)
        assert recorded(run).status == "running"
    seen = MemoryBackend.read_back(run.id)

    assert (seen.experiment, seen.name, seen.status) == ("e", "n", "finished")
    assert (seen.params, [p[::2] for p in seen.metrics["loss"]]) == ({"lr": 0.1}, [(0, 1.0)])
    MemoryBackend.clear("default")
    with pytest.raises(KeyError):
        MemoryBackend.read_back(run.id)


@pytest.mark.parametrize("seed", range(5))
def test_chaos_loses_nothing_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    """The courier's own code against a tracker on a bad day: all is held once but what is refused."""
    clock = FakeClock()
    courier = Courier(MemoryBackend, {}, tmp_path, training())
    delivery = Delivery(Layout(tmp_path / ".runcast"), "chaos", lambda: ChaosBackend, clock=clock)
    options = {"store": f"bad-{seed}", "seed": seed, "retry": 0.6, "reject": 0.1, "slow": 0.2, "seconds": 0.0}
    delivery.add(courier.id, options)
    for _ in range(500):
        if not delivery.lanes:
            break
        clock.advance(max(delivery.work() or 0.0, 0.01))
    delivery.close()

    judge = ChaosBackend(ChaosBackend.Options(**options))
    taken = [record for record in courier.records if not judge.is_poison(record)]
    assert len(taken) < len(courier.records)
    assert (
        ChaosBackend.read_back(courier.id, f"bad-{seed}")
        == Model(courier.layout.blobs).take(taken).read_back()
    )


@pytest.mark.parametrize(
    ("error", "kind"), [("retry", Retry), ("reject", Reject), ("halt", Halt), ("bug", ZeroDivisionError)]
)
@pytest.mark.parametrize("at", ["open", "deliver"])
def test_the_failing_backend_fails_as_told(
    tmp_path: Path, error: str, kind: type[Exception], at: str
) -> None:
    """Each error, by each call."""
    courier = Courier(FailingBackend, {"error": error, "at": at}, tmp_path, small())
    if at == "deliver":
        courier.open()

    with pytest.raises(kind):
        courier.open() if at == "open" else courier.deliver(courier.records)


def test_the_null_backend_says_that_it_keeps_nothing(tmp_path: Path) -> None:
    """Each name is reported as skipped."""
    courier = Courier(NullBackend, {}, tmp_path, small()).play()

    assert {(change.what, change.key) for change in courier.changes} == {
        ("skipped", key) for key in ("lr", "optimizer", "loss")
    }


def test_a_courier_gives_a_new_instance_what_was_saved_last(tmp_path: Path) -> None:
    """After a death the state is that of the last acknowledgement, and a copy."""

    class Counting(MemoryBackend):
        def deliver(self, batch):  # type: ignore[no-untyped-def]  # as its base
            self._run.state["n"] = self._run.state.get("n", 0) + len(batch)
            return super().deliver(batch)

    courier = Courier(Counting, {}, tmp_path, small())
    courier.deliver(courier.records[:2])
    courier.deliver(courier.records[2:3], acknowledge=False)
    courier.crash()

    assert courier.state == {"n": 2}
    courier.deliver(courier.records[2:])
    assert courier.state == {"n": len(courier.records)}

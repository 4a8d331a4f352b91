"""Numbers of the machine and of the trainer's processes, checked against what the processes really do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from runcast.capture import gpus
from runcast.system import Sampler
from runcast.system.energy import Energy
from runcast.system.nvml import Nvml

from ..courier.processes import until

NAMES = {
    "cpu/percent",
    "process/cpu_percent",
    "process/threads",
    "process/count",
    "process/memory_bytes",
    "memory/percent",
    "memory/used_bytes",
    "disk/percent",
    "disk/free_bytes",
    "peak/process/memory_bytes",
}


def test_one_look(tmp_path: Path) -> None:
    """Every number is there, and is a plain finite one."""
    found = Sampler(os.getpid(), tmp_path).look()

    assert found.keys() >= NAMES
    assert all(type(value) in (int, float) and value >= 0 for value in found.values())
    assert found["process/count"] >= 1
    assert 0 < found["memory/percent"] <= 100


def test_children_count(tmp_path: Path) -> None:
    """A child's 64 MiB and its work show in the tree's memory and CPU, and stay in the peak."""
    sampler = Sampler(os.getpid(), tmp_path)
    before = sampler.look()
    code = "x = bytearray(b'1' * (64 << 20)); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            during = sampler.look()
            assert during["process/count"] == before["process/count"] + 1
            assert during["process/memory_bytes"] > before["process/memory_bytes"] + (60 << 20)
            assert until(lambda: sampler.look()["process/cpu_percent"] > 5)
        finally:
            child.kill()
    after = sampler.look()

    assert after["process/count"] == before["process/count"]
    assert after["peak/process/memory_bytes"] >= during["process/memory_bytes"]


def test_a_peak_between_two_looks_is_seen(tmp_path: Path) -> None:
    """The kernel remembers the most that the process itself has had."""
    code = "input()\nx = bytearray(b'1' * (96 << 20))\ndel x\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        sampler = Sampler(child.pid, tmp_path)
        before = sampler.look()["process/memory_bytes"]
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()
        found = sampler.look()
        child.communicate("\n")

    assert found["process/memory_bytes"] < before + (40 << 20)
    assert found["peak/process/memory_bytes"] >= before + (80 << 20)


def test_peaks_and_sums_go_on(tmp_path: Path) -> None:
    """A courier that was started again continues where the last one was."""
    before = {"peak/process/memory_bytes": 1 << 50, "gpu/hours": 2.0, "cpu/percent": 3.0}
    now = iter([0.0, 3600.0])
    sampler = Sampler(os.getpid(), tmp_path, before=before, nvml=fake_nvml(), clock=lambda: next(now))
    found = sampler.look()

    assert found["peak/process/memory_bytes"] == 1 << 50
    assert found["gpu/hours"] == pytest.approx(3.0)


def test_a_trainer_that_is_gone(tmp_path: Path) -> None:
    """No numbers, no error; also where the process was never there."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        sampler = Sampler(child.pid, tmp_path)
        assert sampler.look()
        child.kill()
    assert sampler.look() == {}
    assert Sampler(child.pid, tmp_path).look() == {}


class Refused(Exception):
    """What NVML raises."""


def fake_nvml(**changed: Any) -> Nvml:
    """A library with one device, as the bindings present it."""

    def refuse(*arguments: Any) -> Any:
        raise Refused

    library = {
        "NVMLError": Refused,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: b"H100",
        "nvmlDeviceGetUUID": lambda handle: "GPU-1",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=1000, used=250),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=70),
        "nvmlDeviceGetTemperature": refuse,
        "nvmlDeviceGetPowerUsage": lambda handle: 300_500,
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [SimpleNamespace(pid=os.getpid())],
        "nvmlSystemGetDriverVersion": lambda: "580.1",
        "nvmlSystemGetCudaDriverVersion": lambda: 13010,
        "nvmlShutdown": lambda: None,
        **changed,
    }
    return Nvml(SimpleNamespace(**library))


def test_gpus(tmp_path: Path) -> None:
    """What a device refuses to tell is left out; the rest is there, with its peak."""
    unified = {"nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=0, used=0)}
    found = Sampler(os.getpid(), tmp_path, nvml=fake_nvml()).look()

    assert {key: value for key, value in found.items() if "gpu/0" in key} == {
        "gpu/0/percent": 70,
        "gpu/0/memory_bytes": 250,
        "gpu/0/memory_percent": 25.0,
        "gpu/0/watts": 300.5,
        "peak/gpu/0/memory_bytes": 250,
    }
    assert "gpu/0/memory_percent" not in Sampler(os.getpid(), tmp_path, nvml=fake_nvml(**unified)).look()
    assert fake_nvml().devices() == [{"name": "H100", "uuid": "GPU-1", "memory_bytes": 1000}]
    assert fake_nvml().versions() == {"driver": "580.1", "version": "13.1"}


def test_gpu_hours_are_ours(tmp_path: Path) -> None:
    """Another's job on the device does not count, a process that only the host knows does."""

    def hours(pid: int) -> float:
        now = iter([0.0, 1800.0])
        users = {"nvmlDeviceGetComputeRunningProcesses": lambda handle: [SimpleNamespace(pid=pid)]}
        sampler = Sampler(os.getpid(), tmp_path, nvml=fake_nvml(**users), clock=lambda: next(now))
        return sampler.look()["gpu/hours"]

    assert hours(os.getpid()) == pytest.approx(0.5)
    assert hours(1) == 0.0
    assert hours(2**22 + 1) == pytest.approx(0.5)


def test_the_stand_in_has_the_names_of_the_real_bindings() -> None:
    """Tested without a GPU: the calls, and the fields of what they fill, are checked by name."""
    calls = {name for name in vars(fake_nvml()._nvml) if name != "nvmlShutdown"}

    assert [name for name in sorted(calls) if not hasattr(pynvml, name)] == []
    assert {"total", "used"} <= {field for field, _ in pynvml.c_nvmlMemory_t._fields_}
    assert "gpu" in {field for field, _ in pynvml.c_nvmlUtilization_t._fields_}
    assert "pid" in {field for field, *_ in pynvml.c_nvmlProcessInfo_v3_t._fields_}


def test_the_library_is_found_and_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the import on: what a run records of its devices, with those that the script may see."""
    library = fake_nvml()._nvml
    library.nvmlInit = lambda: None
    monkeypatch.setitem(sys.modules, "pynvml", library)
    gpus._look.cache_clear()
    try:
        found = gpus.describe({"CUDA_VISIBLE_DEVICES": "0"})
    finally:
        gpus._look.cache_clear()

    assert found == {
        "gpus": [{"name": "H100", "uuid": "GPU-1", "memory_bytes": 1000}],
        "cuda": {"driver": "580.1", "version": "13.1", "visible": "0"},
    }


def test_no_driver() -> None:
    """Where NVML cannot be started there are no devices and no error (true of most machines)."""
    nvml = Nvml.load()

    assert nvml is None or nvml.count >= 0


@pytest.mark.filterwarnings("ignore")  # codecarbon's own, of files that it leaves open
def test_energy_counts_on() -> None:
    """codecarbon's estimate for this machine, on top of what an earlier courier counted."""
    energy = Energy("DEU", {"energy/kwh": 1.0, "energy/co2_kg": 0.5})
    try:
        found = until(lambda: (seen := energy.look()).get("energy/kwh", 0) > 1.0 and seen)
        again = until(lambda: (seen := energy.look())["energy/kwh"] > found["energy/kwh"] and seen)
    finally:
        energy.close()

    assert 1.0 < again["energy/kwh"] < 1.1
    assert 0.5 < again["energy/co2_kg"] < 0.6

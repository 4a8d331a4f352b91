"""NVIDIA's management library by its Python bindings (``pip install nvidia-ml-py``).

Source of the calls: https://docs.nvidia.com/deploy/nvml-api/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any


class Nvml:
    """The library, loaded; every question that a device refuses is left out of the answer."""

    def __init__(self, library: Any) -> None:
        self._nvml = library
        self.count = 0
        self._handles: list[Any] = []
        with self._refused():
            self.count = int(library.nvmlDeviceGetCount())
            self._handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(self.count)]

    @classmethod
    def load(cls) -> Nvml | None:
        """None where the bindings, the library or the driver are missing."""
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception:  # ImportError, or whatever a half installed driver gives
            return None
        return cls(pynvml)

    def _refused(self) -> contextlib.suppress:
        return contextlib.suppress(self._nvml.NVMLError)

    def devices(self) -> list[dict[str, Any]]:
        """``name``, ``uuid`` and ``memory_bytes`` of each."""
        found = []
        for handle in self._handles:
            about: dict[str, Any] = {}
            with self._refused():
                about["name"] = _text(self._nvml.nvmlDeviceGetName(handle))
            with self._refused():
                about["uuid"] = _text(self._nvml.nvmlDeviceGetUUID(handle))
            with self._refused():
                about["memory_bytes"] = int(self._nvml.nvmlDeviceGetMemoryInfo(handle).total)
            found.append(about)
        return found

    def versions(self) -> dict[str, str]:
        """``driver``, and the ``version`` of CUDA that it brings."""
        found = {}
        with self._refused():
            found["driver"] = _text(self._nvml.nvmlSystemGetDriverVersion())
        with self._refused():
            number = int(self._nvml.nvmlSystemGetCudaDriverVersion())
            found["version"] = f"{number // 1000}.{number % 1000 // 10}"
        return found

    def look(self) -> dict[str, float]:
        """``gpu/<n>/...`` of each device, now."""
        found: dict[str, float] = {}
        for index, handle in enumerate(self._handles):
            at = f"gpu/{index}/"
            with self._refused():
                found[at + "percent"] = self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu
            with self._refused():
                memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                found[at + "memory_bytes"] = int(memory.used)
                if memory.total:  # a device that shares the machine's memory has none of its own
                    found[at + "memory_percent"] = 100 * memory.used / memory.total
            with self._refused():
                sensor = self._nvml.NVML_TEMPERATURE_GPU
                found[at + "celsius"] = self._nvml.nvmlDeviceGetTemperature(handle, sensor)
            with self._refused():
                found[at + "watts"] = self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        return found

    def used_by(self, pids: Iterable[int], exists: Callable[[int], bool]) -> int:
        """How many devices a process among `pids` computes on.

        In a container the driver may tell the host's numbers, which nobody here knows; a device that
        such a stranger computes on counts as ours.
        """
        mine = set(pids)
        count = 0
        for handle in self._handles:
            with self._refused():
                users = {int(p.pid) for p in self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
                count += bool(users & mine or any(not exists(pid) for pid in users))
        return count

    def close(self) -> None:
        """Let go of the library."""
        with self._refused():
            self._nvml.nvmlShutdown()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

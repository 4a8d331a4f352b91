"""One look at the machine: flat names → numbers; ``docs/capture.md`` lists them with their units."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from runcast.system.nvml import Nvml

_PEAKS = "peak/"


def is_available() -> bool:
    """Whether psutil is installed; without it nothing is sampled."""
    return find_spec("psutil") is not None


class Sampler:
    """Looks at one trainer, its children and the machine around them.

    Args:
        pid: the trainer.
        folder: on the disk that is looked at.
        before: an earlier look at the same run; peaks and sums go on from there.
        nvml: the devices; None: no GPU.
        clock: monotonic seconds.

    Raises:
        ImportError: psutil is not installed.
    """

    def __init__(
        self,
        pid: int,
        folder: Path,
        *,
        before: dict[str, Any] | None = None,
        nvml: Nvml | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import psutil

        self._ps: ModuleType = psutil
        self._folder = folder
        self._nvml = nvml
        self._clock = clock
        self._at = clock()
        before = before or {}
        self._peaks = {key: value for key, value in before.items() if key.startswith(_PEAKS)}
        self._gpu_hours = float(before.get("gpu/hours", 0.0))
        self._trainer: Any = None
        with contextlib.suppress(psutil.Error):
            self._trainer = psutil.Process(pid)
        self._known: dict[int, Any] = {}
        psutil.cpu_percent()  # the first answer says nothing: it is the start of the interval
        self._tree()

    def look(self) -> dict[str, float]:
        """The numbers now; {} once the trainer is gone."""
        if self._trainer is None or not self._trainer.is_running():
            return {}
        now = self._clock()
        passed, self._at = now - self._at, now
        found: dict[str, float] = {}
        for part in (self._processor, self._memory, self._traffic):
            with contextlib.suppress(self._ps.Error, OSError, ValueError, AttributeError):
                part(found)
        if self._nvml is not None and self._nvml.count:
            found |= self._nvml.look()
            used = self._nvml.used_by(self._known, self._ps.pid_exists)
            self._gpu_hours += used * passed / 3600
            found["gpu/hours"] = self._gpu_hours
        self._raise_peaks(found)
        return found | self._peaks

    def close(self) -> None:
        """Let go of the devices."""
        if self._nvml is not None:
            self._nvml.close()

    def _tree(self) -> None:
        """The trainer and all below it; those that are known keep their count of CPU time."""
        found: dict[int, Any] = {}
        if self._trainer is None:
            return
        with contextlib.suppress(self._ps.Error):
            for process in (self._trainer, *self._trainer.children(recursive=True)):
                if (known := self._known.get(process.pid)) != process:
                    known = process
                    with contextlib.suppress(self._ps.Error):
                        known.cpu_percent()
                found[process.pid] = known
        self._known = found

    def _processor(self, found: dict[str, float]) -> None:
        found["cpu/percent"] = self._ps.cpu_percent()
        before = dict(self._known)
        self._tree()
        total = threads = resident = 0.0
        for pid, process in self._known.items():
            with contextlib.suppress(self._ps.Error), process.oneshot():
                total += process.cpu_percent() if pid in before else 0.0
                threads += process.num_threads()
                resident += process.memory_info().rss
        found["process/cpu_percent"] = total
        found["process/threads"] = int(threads)
        found["process/count"] = len(self._known)
        found["process/memory_bytes"] = int(resident)

    def _memory(self, found: dict[str, float]) -> None:
        memory = self._ps.virtual_memory()
        found["memory/percent"] = memory.percent
        found["memory/used_bytes"] = memory.total - memory.available
        disk = self._ps.disk_usage(str(self._folder))
        found["disk/percent"] = disk.percent
        found["disk/free_bytes"] = disk.free

    def _traffic(self, found: dict[str, float]) -> None:
        if (disk := self._ps.disk_io_counters()) is not None:
            found["disk/read_bytes"], found["disk/written_bytes"] = disk.read_bytes, disk.write_bytes
        if (network := self._ps.net_io_counters()) is not None:
            found["network/sent_bytes"] = network.bytes_sent
            found["network/received_bytes"] = network.bytes_recv

    def _raise_peaks(self, found: dict[str, float]) -> None:
        for key, value in found.items():
            if key.endswith("memory_bytes"):
                self._peaks[_PEAKS + key] = max(value, self._peaks.get(_PEAKS + key, 0))
        key = _PEAKS + "process/memory_bytes"
        self._peaks[key] = max(self._peaks.get(key, 0), _high_water(self._trainer.pid))


def _high_water(pid: int) -> int:
    """The most memory that the process itself has had resident so far, in bytes, as the kernel knows it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0

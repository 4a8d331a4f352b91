"""A look at the machine as MLflow's system metrics: ``system/...``, which its UI shows on their own page.

MLflow numbers its samples; here the step is the whole seconds since the run began, which needs no counter
that could be wrong after a crash. The time of each point is the sample's.
"""

from __future__ import annotations

import re

from runcast.records import Metrics, System

_SECOND = 1_000_000_000
_MEGA = 1_000_000
_NAMES = {
    "cpu/percent": ("cpu_utilization_percentage", 1),
    "memory/percent": ("system_memory_usage_percentage", 1),
    "memory/used_bytes": ("system_memory_usage_megabytes", _MEGA),
    "disk/percent": ("disk_usage_percentage", 1),
    "disk/free_bytes": ("disk_available_megabytes", _MEGA),
    "network/received_bytes": ("network_receive_megabytes", _MEGA),
    "network/sent_bytes": ("network_transmit_megabytes", _MEGA),
}
_GPU = re.compile(r"gpu/(\d+)/(percent|memory_percent|memory_bytes|watts)")
_GPU_NAMES = {
    "percent": ("utilization_percentage", 1),
    "memory_percent": ("memory_usage_percentage", 1),
    "memory_bytes": ("memory_usage_megabytes", _MEGA),
    "watts": ("power_usage_watts", 1),
}


def native(name: str) -> tuple[str, int]:
    """MLflow's name for a measure, and what its values are divided by; other measures keep their names."""
    if (gpu := _GPU.fullmatch(name)) is not None:
        tail, unit = _GPU_NAMES[gpu[2]]
        return f"system/gpu_{gpu[1]}_{tail}", unit
    known, unit = _NAMES.get(name, (name, 1))
    return f"system/{known}", unit


def as_metrics(record: System, start: int) -> Metrics:
    """The sample as a metrics record.

    Args:
        record: a sample.
        start: ns since 1970 when the run began.
    """
    values = {}
    for name, value in record.values.items():
        key, unit = native(name)
        values[key] = value if unit == 1 else value / unit
    step = (record.time - start) // _SECOND
    return Metrics(time=record.time, writer=record.writer, seq=record.seq, step=step, values=values)

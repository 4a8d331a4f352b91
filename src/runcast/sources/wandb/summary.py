"""The summary of a run in a folder: W&B's client writes a change of it with every row."""

from __future__ import annotations

import json
from typing import Any

from runcast.formats import wandb_log
from runcast.formats.wandb_log.fast import put
from runcast.formats.wandb_log.items import Path
from runcast.formats.wandb_log.wire import data

_SUMMARY = 3
_TOGETHER = 16 << 10
"""Bytes of changes that are read at once: one search over many costs a fraction of many searches."""


class Changes:
    """Takes summary records, the later ones over the earlier."""

    def __init__(self) -> None:
        self._values: dict[Path, bytes] = {}
        self._waiting: list[bytes] = []
        self._bytes = 0

    def take(self, content: bytes) -> None:
        """What one record says."""
        self._waiting.append(content)
        self._bytes += len(content)
        if self._bytes >= _TOGETHER:
            self._settle()

    def value(self) -> dict[str, Any]:
        """What the summary has come to."""
        self._settle()
        summary: dict[str, Any] = {}
        for path, raw in self._values.items():
            try:
                put(summary, path, json.loads(raw))
            except ValueError:
                continue
        return summary

    def _settle(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if (together := wandb_log.leaves(waiting)) is not None:
            self._values.update(together)
            return
        for content in waiting:
            self._take_one(content)

    def _take_one(self, content: bytes) -> None:
        if (leaves := wandb_log.leaves([content])) is not None:
            self._values.update(leaves)
            return
        entry = wandb_log.entry(data(_SUMMARY, content))
        if isinstance(entry, wandb_log.Summary):
            self._values |= {key: json.dumps(value).encode() for key, value in entry.update.items()}
            for key in entry.remove:
                self._values = {path: raw for path, raw in self._values.items() if not _below(path, key)}


def _below(path: Path, key: str) -> bool:
    whole = path if isinstance(path, str) else ".".join(path)
    return whole == key or whole.startswith(f"{key}.")

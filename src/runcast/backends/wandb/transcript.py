"""What a run says, in the order in which W&B's client would write it down; nothing but bytes and memory.

The memory is JSON-like and holds all that the next record's bytes depend on: position, numbers, open row. So
the same records give the same bytes, whatever their batches and however often the process died.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from runcast.backends.wandb import spelling
from runcast.backends.wandb.residual import Residual
from runcast.backends.wandb.row import Row
from runcast.backends.wandb.rows import TIMES, Rows
from runcast.formats import wandb_log
from runcast.plugins import Change
from runcast.records import Status

_SECOND = 10**9
_OWN = (TIMES, "_step", "_timestamp", "_runtime")
_encode = msgspec.json.Encoder().encode
EXIT_CODES: Mapping[Status, int] = {"finished": 0, "running": 0, "failed": 1, "crashed": 1, "killed": 255}


class Transcript:
    """The log's bytes, made but not yet written.

    Args:
        state: the memory, changed in place; begins empty.
        start: start of the run, ns since 1970.
        residual: takes names as they were said.
    """

    def __init__(self, state: dict[str, Any], start: int, residual: Residual) -> None:
        for name, empty in (("bytes", 0), ("num", 0), ("lost", 0), ("tail", None)):
            state.setdefault(name, empty)
        for name in ("tags", "renamed", "dicts", "rows"):
            state.setdefault(name, {})
        self.state = state
        self.rows = Rows(state["rows"], self._rows, self._axis)
        self.from_position = state["bytes"]
        self._start = start
        self._residual = residual
        self._made: list[bytes] = []

    def take(self) -> tuple[int, bytes]:
        """Where the bytes made since the last call belong, and the bytes; the memory is up to date then."""
        self.rows.save()
        made = self.from_position, b"".join(self._made)
        self._made, self.from_position = [], self.state["bytes"]
        return made

    def say(self, entry: wandb_log.Entry) -> None:
        """One record."""
        self.state["num"] += 1
        self._add([wandb_log.encode(entry, self.state["num"])])

    def _add(self, payloads: list[bytes]) -> None:
        framed = b"".join(wandb_log.frames(payloads, self.state["bytes"]))
        self.state["bytes"] += len(framed)
        self._made.append(framed)

    def key(self, name: str) -> tuple[str, list[Change]]:
        """W&B's key for a name; a new spelling is noted with the run."""
        legal = spelling.key(name)
        if legal == name:
            return name, []
        if legal not in self.state["renamed"]:
            self.state["renamed"][legal] = True
            self.note({"keymap": {legal: spelling.prose(name)}})
            self._residual.say(name=[legal, name])
        return legal, [Change(what="renamed", key=name, detail=legal)]

    def note(self, facts: dict[str, Any]) -> None:
        """Facts of runcast's own, kept in the run's config under ``runcast``."""
        self.say(wandb_log.Config(update={"runcast": facts}))

    def configure(self, values: Mapping[str, Any]) -> None:
        """Settings; a dict takes the place of an earlier one, where W&B would merge the two."""
        stale = [key for key in values if key in self.state["dicts"]]
        if stale:  # a record of its own: in one record W&B removes after it has updated
            self.say(wandb_log.Config(remove=stale))
        for key, value in values.items():
            if isinstance(value, dict):
                self.state["dicts"][key] = True
            else:
                self.state["dicts"].pop(key, None)
        self.say(wandb_log.Config(update=dict(values)))

    def finish(
        self, status: Status, error: str | None, time: int, last_words: Callable[[], dict[str, Any]]
    ) -> None:
        """The run's end. What it writes is taken back if the run goes on.

        Args:
            status: how it ended.
            error: the exception.
            time: when, ns since 1970.
            last_words: gives what the summary has beside last values, and may write records of its own.
        """
        self.reopen()
        self._cut_here()
        self.rows.flush()
        runtime = max(0, time - self._start) // _SECOND
        facts: dict[str, Any] = {"status": status}
        if error:
            facts["error"] = spelling.prose(error)
        self.note(facts)
        self.say(
            wandb_log.Summary(update={**self._last_values(), **last_words(), "_wandb": {"runtime": runtime}})
        )
        self.say(wandb_log.Exit(code=EXIT_CODES[status], runtime=runtime))

    def _cut_here(self) -> None:
        self.rows.save()
        rows = self.state["rows"]
        tail = {"bytes": self.state["bytes"], "num": self.state["num"]}
        self.state["tail"] = {**tail, "last": rows["last"], "open": rows["open"]}

    def reopen(self) -> None:
        """Take the end back, if there is one: W&B reads nothing behind an exit record."""
        tail = self.state["tail"]
        if tail is None:
            return
        self.state.update(tail=None, bytes=tail["bytes"], num=tail["num"])
        self.rows.restore(tail)
        # Bytes made in this batch stand, up to the cut; older ones are cut in the file.
        keep = tail["bytes"] - self.from_position
        self._made = [b"".join(self._made)[:keep]] if keep > 0 else []
        self.from_position = min(self.from_position, tail["bytes"])

    def _last_values(self) -> dict[str, Any]:
        values: dict[str, Any] = dict(_loads(self.rows.summary.items()))
        if self.rows.last >= 0:
            values["_step"] = self.rows.last
        if self.state["lost"]:
            values["runcast/lost"] = self.state["lost"]
        return values

    def _rows(self, rows: list[Row]) -> None:
        made = list(wandb_log.histories(self.state["num"] + 1, map(self._columns, rows)))
        self.state["num"] += len(made)
        self._add(made)

    def _columns(self, row: Row) -> wandb_log.Row:
        keys, texts = row.columns()
        # int / int is rounded once; a float on either side would round the nanoseconds first.
        timestamp, runtime = row.time / _SECOND, (row.time - self._start) / _SECOND
        own = [row.times(), b"%d" % row.step, _encode(timestamp), _encode(runtime)]
        return row.step, keys + _OWN, texts + own, not row.mixed

    def _axis(self, key: str, axis: str, new: bool) -> None:
        self.note({"axes": {key: axis}})
        if new:  # else W&B's chart would lose the rows from before, which lack the axis
            self.say(wandb_log.Metric(name=key.replace(".", "\\."), step_metric=axis.replace(".", "\\.")))


def _loads(items: Iterable[tuple[str, bytes]]) -> Iterable[tuple[str, Any]]:
    return ((key, json.loads(text)) for key, text in items)

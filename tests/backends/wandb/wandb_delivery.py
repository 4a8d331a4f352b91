"""A run on its way to W&B, as a courier would carry it, and W&B's own reader."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runcast.backends.wandb import WandbBackend, WandbOptions
from runcast.backends.wandb.rows import TIMES
from runcast.plugins import OpenRun, Receipt, Ref
from runcast.records import FileRef, Metrics, Record, RunFinished, RunStarted

START = 1_700_000_000 * 10**9
SECOND = 10**9


def metrics(step: int, seconds: float = 0.0, /, **values: Any) -> Metrics:
    """Numbers at a step, said so many seconds after the run's start; ``__`` in a name is ``/``."""
    named = {name.replace("__", "/"): value for name, value in values.items()}
    return Metrics(time=START + int(seconds * SECOND), step=step, values=named)


def finished(status: Any = "finished", seconds: float = 60.0) -> RunFinished:
    """The run's end."""
    return RunFinished(time=START + int(seconds * SECOND), status=status)


class Delivery:
    """One run on its way to W&B, with what a courier would keep: records, state, cursor."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.options: dict[str, Any] = {"mode": "offline"}
        self.state: dict[str, Any] = {}
        self.ref: Ref | None = None
        self.started = RunStarted(
            time=START, run="0123abcd4567ef89", experiment="digits", name="baseline", base=str(home),
            group="g", job_type="train", host="box", writer="ab" * 8, seq=1,
        )  # fmt: skip
        self._open: WandbBackend | None = None
        (home / "private").mkdir()

    def open(self) -> WandbBackend:
        """A new instance with a copy of the saved state, as after a crash."""
        saved = json.loads(json.dumps(self.state))
        self.working = OpenRun(
            id=self.started.run, started=self.started, folder=self.home / "private",
            blobs=self.home / "blobs", state=saved,
        )  # fmt: skip
        backend = WandbBackend(WandbOptions(**self.options))
        self.ref = backend.open(self.working)
        self.save()
        return backend

    def save(self) -> None:
        """Write the state down, as it goes through JSON."""
        self.state = json.loads(json.dumps(self.working.state, allow_nan=False))

    def deliver(self, *batches: Sequence[Record]) -> list[Receipt]:
        """Deliver batches with one instance, saving after each."""
        backend = self.open()
        receipts = []
        try:
            for batch in batches:
                receipts.append(backend.deliver(batch))
                self.save()
        finally:
            backend.close()
        return receipts

    def blob(self, path: str, content: bytes) -> FileRef:
        """A file of an artifact, its content among the blobs."""
        digest = hashlib.sha256(content).hexdigest()
        target = self.home / "blobs" / digest[:2] / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return FileRef(path=path, sha256=digest, size=len(content))

    @property
    def folder(self) -> Path:
        """The run's folder; there is one."""
        [folder] = (self.home / "wandb").glob("offline-run-*")
        return folder

    @property
    def log(self) -> Path:
        """The run's log file."""
        return self.folder / f"run-{self.started.run}.wandb"

    def leet(self) -> list[dict[str, Any]]:
        """Every record, as ``wandb leet inspect`` reads it; takes a second."""
        command = [client(), "leet", "inspect", self.folder, "--json"]
        done = subprocess.run(command, capture_output=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def inspect(self) -> list[dict[str, Any]]:
        """Every record, as W&B's protobuf classes read it, in the form of `leet`."""
        return [described(payload) for payload in chunks(self.log.read_bytes())]

    def rows(self) -> list[dict[str, Any]]:
        """The history, as W&B's protobuf classes read it, without runcast's own column of times."""
        rows = [record["history"]["item"] for record in self.inspect() if record["type"] == "history"]
        return [{key: value for key, value in row.items() if key != TIMES} for row in rows]

    def overview(self) -> dict[str, Any]:
        """The run, as ``wandb leet inspect --summary`` sees it."""
        command = [client(), "leet", "inspect", self.folder, "--summary", "--json"]
        done = subprocess.run(command, capture_output=True, check=True)
        return dict(json.loads(done.stdout))


def chunks(log: bytes) -> Iterator[bytes]:
    """The payloads of a sound log, by the format's description and not by runcast's reader."""
    at, payload = 7, b""
    while at < len(log):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        crc, size, kind = struct.unpack_from("<IHB", log, at)
        body = log[at + 7 : at + 7 + size]
        assert zlib.crc32(bytes([kind]) + body) == crc
        payload, at = payload + body, at + 7 + size
        if kind in (1, 4):
            yield payload
            payload = b""


def described(payload: bytes) -> dict[str, Any]:
    """A record as W&B's protobuf classes read it."""
    from google.protobuf.json_format import MessageToDict
    from wandb.proto import wandb_internal_pb2 as pb

    record = pb.Record()
    record.ParseFromString(payload)
    kind = str(record.WhichOneof("record_type"))
    body = MessageToDict(getattr(record, kind), preserving_proto_field_name=True)
    for slot in ("item", "update"):
        if slot in body:
            body[slot] = _nested(body[slot])
    return {"num": record.num, "type": kind, kind: body}


def _nested(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Items as one dict; each has a path, and ``key`` where it is of W&B's system metrics."""
    out: dict[str, Any] = {}
    for item in items:
        *above, last = item.get("nested_key") or [item["key"]]
        level = out
        for name in above:
            level = level.setdefault(name, {})
        level[last] = _value(item["value_json"])
    return out


def _value(text: str) -> Any:
    # NaN and the infinities as text, as leet prints them: NaN equals nothing.
    return json.loads(text, parse_constant=str)


def client() -> str:
    """W&B's own command."""
    return str(Path(sys.executable).with_name("wandb"))

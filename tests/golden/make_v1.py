"""Writes the golden journals of format 1 into ``v1/``: once. A file that exists is never touched.

Run it from the project's root: ``python tests/golden/make_v1.py``. Each ``<name>`` is a folder of
segments with ``expected.json`` beside them: the records in the order of reading, in the journal's own
JSON with writer and seq, and what must be reported as damage. A later format gets a folder of its own.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

from runcast import codec
from runcast.journal.frame import Header, frame, frame_header, seed
from runcast.records import (
    Artifact,
    FileRef,
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Tags,
)

PLACE = Path(__file__).parent / "v1"
A, B = "0a1b2c3d4e5f6071", "f0e1d2c3b4a59687"
T = 1_750_000_000_000_000_000
HEADER: dict[str, Any] = {
    "run": "golden-run", "process": "00ff00ff00ff00ff", "pid": 4242, "host": "trainer", "created": T,
    "boot": "6f1c2f9e-0000-4000-8000-000000000000",
}  # fmt: skip

NORMAL: list[Record] = [
    RunStarted(
        time=T, run="golden-run", experiment="digits", name="sgd-baseline", user="ada", host="trainer",
        base="/home/ada/project", group="sweep-1", job_type="train",
        backends={"mlflow": {"uri": "sqlite:///mlflow.db"}, "wandb": {"mode": "offline"}},
    ),
    Params(time=T + 1, values={"lr": 0.1, "layers": [64, 64], "opt": {"name": "sgd", "nesterov": None}}),
    Tags(time=T + 2, values={"task": "classification", "reviewed": ""}),
    Metrics(time=T + 3, step=0, values={"train/loss": 2.302585092994046, "val/acc": 0.1, "ok": True}),
    Metrics(time=T + 4, step=1, values={"train/loss": 0.4, "samples": 2**70, "zero": -0.0, "tiny": 5e-324}),
    Note(time=T + 5, text="first try\nsecond line"),
    Media(time=T + 6, key="sample", step=1, type="text", text="It was a dark night.", caption="epoch 1"),
    Media(time=T + 7, key="log", step=1, type="text", file=FileRef(path="log.txt", sha256="ab" * 32, size=9)),
    Artifact(
        time=T + 8, name="model", type="model", digest="cd" * 32, aliases=["best"], metadata={"epoch": 1},
        files=[
            FileRef(path="a/weights.bin", sha256="12" * 32, size=3),
            FileRef(path="b", sha256="34" * 32, size=0),
        ],
    ),
    Lost(time=T + 9, key="bad", reason="not a number", count=2, detail="<object>"),
    RunFinished(time=T + 10, status="failed", error="ValueError: boom"),
]  # fmt: skip

TEXTS: list[Record] = [
    Params(time=T, values={"nan": math.nan, "list": [math.inf, -math.inf], "$float": "nan", "$$": {"$": 1}}),
    Params(time=T + 1, values={"lone \ud800": "\udfff", "nul\0": "\u2028\u2029\x7f", "emoji": "\U0001f600"}),
    Metrics(time=T + 2, step=-1, values={"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "$x": 1}),
    Metrics(time=T + 3, step=2**63 - 1, values={"null": 1, "köln/\udc80": math.nan}),
    Tags(time=T + 4, values={"": "", "tab\t": '"quoted" \\ back'}),
    Note(time=T + 5, text="naïve – 日本語 \ud83d"),
]


def lines(records: list[Record], writer: str = A, start: int = 1) -> list[bytes]:
    """The records' lines."""
    return [frame(start + n, codec.encode(record), seed(writer)) for n, record in enumerate(records)]


def head(writer: str = A, **fields: Any) -> bytes:
    """A first line."""
    return frame_header(Header(**{**HEADER, "writer": writer, **fields}))


def metrics(*steps: int) -> list[Record]:
    """One metric a step, a second apart."""
    return [Metrics(time=T + step * 10**9, step=step, values={"loss": 1 / (step + 1)}) for step in steps]


def say(records: list[Record], writer: str = A, start: int = 1) -> list[Any]:
    """What a reader must give for these."""
    return [
        {"writer": writer, "seq": start + n, "record": codec.encode(record).decode("utf-8", "surrogatepass")}
        for n, record in enumerate(records)
    ]


def journals() -> dict[str, tuple[dict[str, bytes], dict[str, Any]]]:
    """Each golden journal: its files, and what must be read from them."""
    ten = metrics(*range(10))
    cut = b"".join([head(), *lines(ten)])
    bad = [head(), *lines(ten)]
    bad[4] = bad[4][:50] + b"\xff\x00\n?" + bad[4][54:]
    ours, theirs = metrics(0, 2, 4), metrics(1, 3)
    later = frame(3, b'{"kind":"hologram","time":1,"depth":3}', seed(A))
    newer = b'{"format":2,"min_reader":2,"run":"golden-run","writer":"%b","frames":"binary"}' % A.encode()
    return {
        "normal": (
            {f"{A}-0000": b"".join([head(), *lines(NORMAL[:6])]),
             f"{A}-0001": b"".join([head(segment=1, features=["later"]), *lines(NORMAL[6:], start=7)])},
            {"records": say(NORMAL)},
        ),
        "texts": ({f"{A}-0000": b"".join([head(), *lines(TEXTS)])}, {"records": say(TEXTS)}),
        "torn-tail": ({f"{A}-0000": cut[:-17] + bytes(64)}, {"records": say(ten[:9])}),
        "damaged-middle": (
            {f"{A}-0000": b"".join(bad)},
            {"records": say(ten[:3]) + say(ten[4:], start=5), "missing": 1,
             "damage": [[sum(map(len, bad[:4])), sum(map(len, bad[:5]))]]},
        ),
        "two-writers": (
            {f"{A}-0000": b"".join([head(), *lines(ours)]),
             f"{B}-0000": b"".join([head(B, generation=0), *lines(theirs, B)])},
            {"records": [*say(ours[:1]), *say(theirs[:1], B), *say(ours[1:2], start=2),
                         *say(theirs[1:], B, 2), *say(ours[2:], start=3)]},
        ),
        "unknown-kind": (
            {f"{A}-0000": b"".join([head(), *lines(ten[:2]), later, *lines(ten[2:4], start=4)])},
            {"records": say(ten[:2]) + say(ten[2:4], start=4), "unknown": 1},
        ),
        "needs-newer-reader": (
            {f"{A}-0000": b"RCJ1 %08x %b\n" % (crc32(newer), newer) + b"\x00\x01binary"}, {"refused": True},
        ),
    }  # fmt: skip


def main() -> int:
    """Write what is missing; say what was left alone."""
    for name, (files, expected) in journals().items():
        folder = PLACE / name / "journal"
        if folder.exists():
            print(f"{folder}: exists, never changed", file=sys.stderr)
            continue
        folder.mkdir(parents=True)
        for stem, data in files.items():
            (folder / f"{stem}.rcj").write_bytes(data)
        text = json.dumps(expected, indent=1, ensure_ascii=True)
        (folder.parent / "expected.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

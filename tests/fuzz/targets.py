"""Every reader of files that others may have written: what it is given, and what may come of it.

A target writes the bytes where its reader looks, reads, and raises whatever the reader raises beyond what
is documented for it. It never minds what was read, except where something intact must come out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import msgspec

from runcast import codec
from runcast.courier.folder import DeliveryFolder
from runcast.courier.report import report
from runcast.errors import ConfigError, JournalError, Reject, UsageError
from runcast.formats import tfevents, wandb_log
from runcast.journal import Blobs, Header, JournalReader, Layout, ends, settle
from runcast.journal.frame import frame, frame_header, seed
from runcast.migrate.manifest import Folder
from runcast.records import Artifact, FileRef, Metrics, Params, Record, RunFinished, RunStarted
from runcast.render import arrays
from runcast.sources.mlflow import MlflowSource
from runcast.sources.tensorboard import TensorBoardSource
from runcast.sources.wandb import WandbSource
from runcast.testing.golden import STORIES

from . import stores

T0 = 1_700_000_000_000_000_000
RUN, WRITER = "0123456789abcdef", "00112233aabbccdd"


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        make: gives files as they should be.
        read: writes the bytes below the folder and reads them back.
    """

    make: Callable[[], tuple[bytes, ...]]
    read: Callable[[bytes, Path], None]

    @cached_property
    def good(self) -> tuple[bytes, ...]:
        """Files as they should be, made once, when somebody asks."""
        return self.make()


def segment(*records: Record, **header: object) -> bytes:
    """A whole segment of one writer."""
    lines = [frame_header(msgspec.structs.replace(Header(run=RUN, writer=WRITER), **header))]
    lines += [frame(n, codec.encode(record), seed(WRITER)) for n, record in enumerate(records, 1)]
    return b"".join(lines)


SAID: tuple[Record, ...] = (
    RunStarted(time=T0, run=RUN, experiment="e", name="n", backends={"local": {}}),
    Params(time=T0 + 1, values={"a": [1, {"b": None}], "$x": float("nan")}),
    Metrics(time=T0 + 2, step=1, values={"loss": 0.5, "nan": float("nan")}),
    RunFinished(time=T0 + 3, status="finished"),
)
STORY = segment(*(record for process, record in STORIES["everything"]().said if process == "main"))


def read_segment(data: bytes, folder: Path) -> None:
    """A damaged segment beside a whole one: all of the whole one comes out, and nothing is written."""
    layout = Layout(folder)
    journal = layout.journal(RUN)
    journal.mkdir(parents=True)
    bad, other = journal / f"{WRITER}-0000.rcj", "ffeeddccbbaa0099"
    bad.write_bytes(data)
    intact = frame_header(Header(run=RUN, writer=other)) + b"".join(
        frame(n, codec.encode(record), seed(other)) for n, record in enumerate(SAID, 1)
    )
    (journal / f"{other}-0000.rcj").write_bytes(intact)
    reader = JournalReader(journal, run=RUN)
    seen: list[Record] = []
    try:
        while records := reader.read(3):
            seen += records
    except JournalError:  # it asks for a newer reader: whoever reads on would lose its place
        return
    finally:
        assert bad.read_bytes() == data
        ends(bad)
        report(layout, RUN, T0)
    assert [record.seq for record in seen if record.writer == other] == [1, 2, 3, 4]
    assert all(codec.encode(record) for record in seen)


def read_record(data: bytes, folder: Path) -> None:
    """Any JSON as a record, with a checksum that is right."""
    read_segment(
        frame_header(Header(run=RUN, writer=WRITER)) + frame(1, data.replace(b"\n", b""), seed(WRITER)),
        folder,
    )


def read_header(data: bytes, folder: Path) -> None:
    """Any JSON as a header, with a checksum that is right."""
    from zlib import crc32

    data = data.replace(b"\n", b"")
    read_segment(b"RCJ1 %08x %b\n" % (crc32(data), data) + segment(*SAID).split(b"\n", 1)[1], folder)


def read_note(data: bytes, folder: Path) -> None:
    """The note beside a held file."""
    blobs = Blobs(folder / "blobs")
    (blobs.root / "held").mkdir(parents=True)
    name = "ab" * 16
    (blobs.root / "held" / name).with_suffix(".sha256").write_bytes(data)
    record = Artifact(time=0, name="a", type="t", files=[FileRef("p", "", 1, held=name)], digest="")
    (file,) = settle(record, blobs).files
    assert len(file.sha256) == 64
    assert not set(file.sha256) - set("0123456789abcdef")


def read_delivery(data: bytes, folder: Path) -> None:
    """Every file of a delivery folder: what is damaged counts as not there."""
    delivery = DeliveryFolder(folder)
    for name in ("cursor.json", "status.json", "report.json", "rejected.jsonl"):
        (folder / name).write_bytes(data)
    delivery.load_cursor()
    delivery.load_status()
    delivery.load_report()
    delivery.load_rejected()
    assert sorted(path.name for path in folder.iterdir()) == [
        "cursor.json",
        "rejected.jsonl",
        "report.json",
        "status.json",
    ]


def read_run_folder(data: bytes, folder: Path) -> None:
    """A whole run with damaged delivery files is still reported."""
    layout = Layout(folder)
    journal, delivery = layout.journal(RUN), layout.delivery(RUN, "local")
    for place in (journal, delivery):
        place.mkdir(parents=True)
    (journal / f"{WRITER}-0000.rcj").write_bytes(segment(*SAID))
    for name in ("cursor.json", "status.json", "report.json", "rejected.jsonl"):
        (delivery / name).write_bytes(data)
    found = report(layout, RUN, T0)
    assert (found.records, found.status) == (4, "finished")


def read_manifest(data: bytes, folder: Path) -> None:
    """The state of a migration."""
    place = Folder(folder, "m")
    place.path.mkdir(parents=True)
    (place.path / "manifest.json").write_bytes(data)
    with contextlib.suppress(UsageError):
        place.load()


def read_config(data: bytes, folder: Path) -> None:
    """A project's settings."""
    from runcast.config import load

    (folder / "runcast.toml").write_bytes(data)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.suppress(ConfigError):
            load({})
    finally:
        os.chdir(before)


def read_tfevents(data: bytes, folder: Path) -> None:
    """TensorBoard's event files."""
    reader = tfevents.FrameReader(io.BytesIO(data))
    for event in tfevents.read(reader):
        assert isinstance(event.step, int)
    assert reader.offset <= len(data)


def read_wandb(data: bytes, folder: Path) -> None:
    """W&B's transaction logs."""
    list(wandb_log.scan(data))


def read_array(data: bytes, folder: Path) -> None:
    """NumPy's files."""
    path = folder / "x"
    path.write_bytes(data)
    with contextlib.suppress(Reject):
        arrays.load(path, dims=(1, 2), dtypes=("uint8", "float32"))


def _npy() -> bytes:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(16)


def _events() -> bytes:
    payloads = [tfevents.version_event(0)]
    payloads += [tfevents.ScalarEncoder().event(i, i, {"loss": i / 3, "n": i}, []) for i in range(3)]
    return b"".join(map(tfevents.frame, payloads))


def _wandb() -> bytes:
    log = b""
    for number, entry in enumerate([wandb_log.History(1, {"loss": 0.5}), wandb_log.Exit(0)] * 3):
        log += wandb_log.append(entry, number, len(log))
    return log


CURSOR = (
    b'{"position":{"offsets":{"a-0000":10},"seqs":{"a":3}},"records":3,"ref":{"id":"x","url":"y"},"state":{"k":[1]},'
    b'"started":"{}","finished":true}'
)
MANIFEST = json.dumps(
    {"id": "m", "source": "s", "destination": "d", "created": 1, "runs": {"a": {"source": "a", "run": "b"}}}
).encode()
CONFIG = (
    b'dir = ".runcast"\nbackends = ["local", "mlflow"]\n[mlflow]\nuri = "sqlite:///x.db"\n'
    b'[wandb]\nmode = "offline"\n'
)
REPORT = b'{"changes":[{"what":"renamed","key":"a","detail":"b"}]}'
REJECTED = b'{"reason":"no","record":{"kind":"metrics","values":{"a":1},"time":1,"step":0}}\n'

TARGETS = {
    "segment": Target(lambda: (segment(*SAID), STORY), read_segment),
    "record": Target(lambda: tuple(map(codec.encode, SAID)), read_record),
    "header": Target(lambda: (msgspec.json.encode(Header(run=RUN, writer=WRITER)),), read_header),
    "note": Target(lambda: (b"ab" * 32 + b" 17",), read_note),
    "delivery": Target(lambda: (CURSOR, REJECTED), read_delivery),
    "run-folder": Target(lambda: (CURSOR, REJECTED, REPORT), read_run_folder),
    "manifest": Target(lambda: (MANIFEST,), read_manifest),
    "config": Target(lambda: (CONFIG,), read_config),
    "tfevents": Target(lambda: (_events(),), read_tfevents),
    "wandb": Target(lambda: (_wandb(),), read_wandb),
    "npy": Target(lambda: (_npy(),), read_array),
    "source-local": Target(lambda: (STORY,), stores.local),
    **{
        f"source-mlflow-{name.removeprefix(stores.RUN).strip('/').replace('/', '-')}": Target(
            partial(stores.content, lambda: stores.MLRUNS, name),
            stores.in_store(lambda: stores.MLRUNS, name, MlflowSource),
        )
        for name in stores.MLRUNS
    },
    **{
        f"source-{name}": Target(
            partial(stores.content, files, ending), stores.in_store(files, ending, source)
        )
        for name, files, ending, source in (
            ("mlflow-database", stores.mlflow, "mlflow.db", stores.from_database),
            ("tensorboard", stores.tensorboard, "tfevents.1700000000.0123456789abcdef", TensorBoardSource),
            ("tensorboard-own", stores.tensorboard, "/runcast.json", TensorBoardSource),
            ("wandb", stores.foreign, ".wandb", WandbSource),
            ("wandb-runcasts", stores.wandb, ".wandb", WandbSource),
            ("wandb-own", stores.wandb, "residual.jsonl", WandbSource),
            ("wandb-table", stores.wandb, "ad4e07.table.json", WandbSource),
        )
    },
}

"""The `.wandb` format, against W&B's own protobuf classes and its own reader."""

from __future__ import annotations

import io
import json
import math
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcast.formats import wandb_log
from runcast.formats.wandb_log import wire

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | names
plain = scalars | st.lists(scalars, max_size=3)
values = st.dictionaries(names, plain, max_size=5)
media = st.dictionaries(
    names, st.recursive(plain, lambda v: st.dictionaries(names, v, max_size=3)), max_size=3
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
int64 = st.integers(-(2**63), 2**63 - 1)
times = st.integers(0, 2**62)
sizes = st.integers(0, 2**31)
manifest = st.builds(
    wandb_log.ManifestEntry, path=texts, digest=texts, size=st.integers(0, 2**40), ref=texts, local_path=texts
)
entries = st.one_of(
    st.builds(wandb_log.Header, producer=texts, min_consumer=texts),
    st.builds(
        wandb_log.Run, run_id=texts, entity=texts, project=texts, config=values, group=texts, job_type=texts,
        name=texts, notes=texts, tags=st.lists(texts, max_size=3), host=texts, start_ns=times,
        resumed=st.booleans(),
    ),
    st.builds(wandb_log.Config, update=values, remove=st.lists(names, max_size=2)),
    st.builds(wandb_log.Summary, update=values, remove=st.lists(names, max_size=2)),
    st.builds(wandb_log.History, step=int64, values=media),
    st.builds(
        wandb_log.Metric, name=texts, glob=texts, step_metric=texts,
        summary=st.sampled_from([[], ["min", "last"], ["max", "mean", "best"]]),
        goal=st.sampled_from(["", "minimize", "maximize"]),
    ),
    st.builds(wandb_log.Stats, time_ns=times, values=st.dictionaries(names, st.floats() | int64, max_size=3)),
    st.builds(
        wandb_log.Environment, os=texts, python=texts, started_ns=times, args=st.lists(texts, max_size=2),
        program=texts, git_remote=texts, git_commit=texts, root=texts, host=texts, username=texts,
        executable=texts, cpu_count=sizes, cpu_count_logical=sizes, gpu_type=texts, memory=sizes,
        gpus=st.lists(st.builds(wandb_log.Gpu, name=texts, memory=sizes), max_size=2), cuda_version=texts,
        writer_id=texts,
    ),
    st.builds(wandb_log.Output, stream=st.sampled_from(["stdout", "stderr"]), time_ns=times, text=texts),
    st.builds(wandb_log.Files, paths=st.lists(texts, max_size=3)),
    st.builds(wandb_log.Files, paths=st.lists(texts, min_size=1, max_size=3), now=st.just(True)),
    st.builds(
        wandb_log.Artifact, run_id=texts, project=texts, entity=texts, type=texts, name=texts, digest=texts,
        description=texts, metadata=texts, aliases=st.lists(texts, max_size=2),
        entries=st.lists(manifest, max_size=2), client_id=texts, sequence_client_id=texts, use=st.booleans(),
    ),
    st.builds(wandb_log.Exit, code=st.integers(0, 255), runtime=st.integers(0, 10**6)),
)  # fmt: skip


def build(records: list[wandb_log.Entry]) -> tuple[bytes, list[int]]:
    """A log, and its length after each record."""
    log, ends = b"", []
    for number, record in enumerate(records, 1):
        log += wandb_log.append(record, number, len(log))
        ends.append(len(log))
    return log, ends


def rows(count: int, width: int = 1) -> list[wandb_log.Entry]:
    """A header and rows whose sizes differ, so that they cross block ends at every offset."""
    made: list[wandb_log.Entry] = [wandb_log.Header(producer="test")]
    made += [wandb_log.History(step=i, values={"x": "y" * (i * 37 % 900 * width)}) for i in range(count)]
    return made


@settings(max_examples=150, deadline=None)
@given(st.lists(entries, max_size=6))
def test_round_trip(records: list[wandb_log.Entry]) -> None:
    """What was written is what is read, NaN, 64-bit integers and odd names included."""
    log, _ = build(records)
    assert repr(list(wandb_log.scan(log))) == repr(records) if records else not log


@settings(max_examples=60, deadline=None)
@given(values, st.integers(0, 2**63 - 1))
def test_wandbs_own_classes_read_a_row(row: dict[str, Any], step: int) -> None:
    """W&B's protobuf classes find the same step, names and JSON values in a row."""
    from wandb.proto import wandb_internal_pb2 as pb

    record = pb.Record()
    record.ParseFromString(wandb_log.encode(wandb_log.History(step=step, values=row), 7))
    assert record.num == 7
    assert record.history.step.num == step
    found = {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
    assert repr(sorted(found.items())) == repr(sorted(row.items()))


@settings(max_examples=60, deadline=None)
@given(entries)
def test_wandbs_own_classes_know_every_field(record: wandb_log.Entry) -> None:
    """W&B's classes parse each record, find no field that they do not know, and write it back readable."""
    from google.protobuf.unknown_fields import UnknownFieldSet
    from wandb.proto import wandb_internal_pb2 as pb

    theirs = pb.Record()
    theirs.ParseFromString(wandb_log.encode(record, 1))
    kind = theirs.WhichOneof("record_type")
    assert kind == type(record).__name__.lower().replace("output", "output_raw")
    assert len(UnknownFieldSet(getattr(theirs, kind))) == 0
    assert repr(wandb_log.decode(theirs.SerializeToString())[1]) == repr(record)


@pytest.mark.parametrize("size", [0, 1, 32747, 32748, 32749, 32754, 32755, 65536, 200_000])
def test_block_edges(size: int) -> None:
    """Payloads of any size survive, wherever in a block they begin."""
    for position in (14, 15, 32754, 32755, 32760, 32761, 32762, 32767, 32768):
        log = wandb_log.frame(b"x" * (position - 14), 0)
        assert len(log) == position
        log += wandb_log.frame(bytes(size), position)
        assert list(wandb_log.payloads(io.BytesIO(log))) == [b"x" * (position - 14), bytes(size)]


def test_every_truncation() -> None:
    """A log cut anywhere gives every record that is whole, and counts what is not."""
    log, ends = build(rows(12))
    for cut in range(len(wandb_log.FILE_HEADER), len(log)):
        found = list(wandb_log.scan(log[:cut]))
        whole = [entry for entry in found if not isinstance(entry, wandb_log.Damage)]
        assert len(whole) == sum(end <= cut for end in ends)
        assert (len(found) > len(whole)) == (cut not in (len(wandb_log.FILE_HEADER), *ends))


def test_bit_flips_cost_at_most_their_block() -> None:
    """A flipped bit anywhere is noticed, and costs no record outside its own block and the next."""
    records = rows(300)
    log, ends = build(records)
    for at in range(len(wandb_log.FILE_HEADER), len(log), 997):
        broken = bytearray(log)
        broken[at] ^= 1 << at % 8
        found = list(wandb_log.scan(bytes(broken)))
        whole = [repr(entry) for entry in found if not isinstance(entry, wandb_log.Damage)]
        block = at // wandb_log.BLOCK
        safe = [
            repr(record)
            for record, start, end in zip(records, [7, *ends], ends, strict=False)
            if end <= block * wandb_log.BLOCK or start >= (block + 1) * wandb_log.BLOCK
        ]
        assert set(safe) <= set(whole)
        assert set(whole) <= set(map(repr, records))
        assert len(found) > len(whole) or len(whole) == len(records)


def test_appending_after_a_cut_gives_the_same_bytes() -> None:
    """A log cut back to the end of any record and continued is the log that was never cut."""
    records = rows(120)
    log, ends = build(records)
    for index in range(0, len(records) - 1, 7):
        again = log[: ends[index]]
        for number, record in enumerate(records[index + 1 :], index + 2):
            again += wandb_log.append(record, number, len(again))
        assert again == log


def test_no_log_at_all() -> None:
    """A file that is no log is one damage, named; an empty one too."""
    for content in (b"", b"hello, world", b"PK\x03\x04"):
        [damage] = wandb_log.scan(content)
        assert isinstance(damage, wandb_log.Damage)
        assert "header" in damage.reason


def test_garbage_in_a_sound_chunk() -> None:
    """A chunk whose checksum holds but whose content is no record is counted, not raised."""
    for junk in (
        b"\xff\xff",
        b"\x0b",
        wire.data(2, b"\x0a\x01"),
        wire.data(2, wire.data(1, wire.data(16, b"{"))),
    ):
        [damage] = wandb_log.scan(wandb_log.frame(junk, 0))
        assert isinstance(damage, wandb_log.Damage)


def test_chunk_layout() -> None:
    """The first chunk stands behind the 7-byte header, with a plain crc32 over type and data."""
    log = wandb_log.frame(b"abc", 0)
    crc, size, kind = struct.unpack_from("<IHB", log, 7)
    assert (size, kind, log[14:]) == (3, 1, b"abc")
    assert crc == zlib.crc32(b"\x01abc")


def test_wandbs_own_reader_sees_the_rows(tmp_path: Path) -> None:
    """`wandb leet inspect` reads a log over several blocks: every row, NaN and 64-bit integers included."""
    records: list[wandb_log.Entry] = [
        wandb_log.Header(producer="test"),
        wandb_log.Run(run_id="r", project="p"),
    ]
    records += [
        wandb_log.History(step=i, values={"_step": i, "a.b": math.nan, "n": 2**53 + 1, "t": "é" * 400})
        for i in range(200)
    ]
    path = tmp_path / "run-r.wandb"
    path.write_bytes(build(records)[0])
    client = str(Path(sys.executable).with_name("wandb"))
    done = subprocess.run([client, "leet", "inspect", str(path), "--json"], capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    items = [line["history"]["item"] for line in lines if line["type"] == "history"]
    assert [item["_step"] for item in items] == list(range(200))
    assert all(item["n"] == 2**53 + 1 and item["a.b"] == "NaN" and item["t"] == "é" * 400 for item in items)


def test_a_log_of_wandbs_own_client_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that W&B's client logged offline reads back: config, rows, nesting, axis, tags, exit."""
    import wandb

    for name in ("HOME", "WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    lean = wandb.Settings(
        silent=True, console="off", disable_git=True, x_disable_stats=True, x_disable_meta=True
    )
    with wandb.init(
        project="p", mode="offline", dir=tmp_path, config={"lr": 0.1}, tags=["t"], settings=lean,
        reinit="create_new",
    ) as run:  # fmt: skip
        run.define_metric("val", step_metric="epoch")
        run.log({"a": math.inf, "n": {"x": 1}}, step=3)
    wandb.teardown()
    [path] = tmp_path.glob("wandb/offline-run-*/*.wandb")
    found = list(wandb_log.read(path))
    assert not [entry for entry in found if isinstance(entry, wandb_log.Damage)]
    [row] = [entry for entry in found if isinstance(entry, wandb_log.History)]
    assert (row.step, row.values["a"], row.values["n"]) == (3, math.inf, {"x": 1})
    first = next(entry for entry in found if isinstance(entry, wandb_log.Run))
    assert (first.project, first.config["lr"], first.tags) == ("p", 0.1, ["t"])
    assert wandb_log.Metric(name="val", step_metric="epoch") in found
    assert isinstance(found[-1], wandb_log.Exit)

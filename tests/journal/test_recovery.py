"""What a reader makes of torn, damaged, foreign, doubled and missing pieces."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcast import codec
from runcast.errors import FormatError, JournalError
from runcast.journal import Header, JournalReader, JournalWriter, read_run
from runcast.journal import segment as segment_module
from runcast.journal import writer as writer_module
from runcast.journal.frame import frame, frame_header, seed
from runcast.records import Lost, Metrics, Note, Params, RunFinished, Tags

WRITER = "00112233445566aa"
RECORDS = [
    Params(time=1, values={"lr": 0.1, "nested": {"a": [1, None]}}),
    *(Metrics(time=2 + i, step=i, values={"loss": i / 3, "acc": i}) for i in range(6)),
    Tags(time=9, values={"task": "köln\u2028\ud800"}),
    Note(time=10, text="two\nlines"),
    RunFinished(time=11, status="finished"),
]


def line_of(seq: int, payload: bytes, writer: str = WRITER) -> bytes:
    """One framed line."""
    return frame(seq, payload, seed(writer))


def header_of(**fields: Any) -> bytes:
    """A first line."""
    return frame_header(Header(**{"run": "r", "writer": WRITER, **fields}))


LINES = [header_of(), *(line_of(i + 1, codec.encode(r)) for i, r in enumerate(RECORDS))]
WHOLE = b"".join(LINES)


def put(folder: Path, data: bytes, name: str = f"{WRITER}-0000") -> Path:
    """A segment with this content."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.rcj"
    path.write_bytes(data)
    return path


def plain(records: list[Any]) -> list[Any]:
    """Records without the identity that the reader fills in."""
    return [
        type(r)(**{f: getattr(r, f) for f in r.__struct_fields__ if f not in ("writer", "seq")})
        for r in records
    ]


@pytest.mark.fault(
    "F15",
    how="a journal cut at every byte",
    outcome="exactly the whole lines, nothing reported",
)
def test_every_truncation_gives_exactly_the_whole_lines(folder: Path, read_all: Any) -> None:
    """Cut anywhere: the records whose newline is still there come back, and nothing is called damage."""
    ends = [sum(map(len, LINES[: i + 1])) for i in range(len(LINES))]
    for cut in range(len(WHOLE) + 1):
        put(folder, WHOLE[:cut])
        records, damage = read_all(folder)
        assert len(records) == max(0, sum(end <= cut for end in ends) - 1), cut
        assert plain(records) == RECORDS[: len(records)]
        assert damage == []


@pytest.mark.fault(
    "F15",
    how="zeros at the end, as a power cut leaves",
    outcome="nothing is lost or reported",
)
@pytest.mark.parametrize("cut", [len(WHOLE), len(WHOLE) - 1, len(WHOLE) - 40, len(LINES[0]), 10, 0])
def test_a_tail_of_zeros_is_nothing(folder: Path, read_all: Any, cut: int) -> None:
    """A file system may leave zeros behind the last bytes after a loss of power."""
    put(folder, WHOLE[:cut] + bytes(4096))
    records, damage = read_all(folder)

    assert plain(records) == RECORDS[: max(0, WHOLE[:cut].count(b"\n") - 1)]
    assert damage == []


@pytest.mark.fault(
    "F16",
    how="random bytes changed (hypothesis)",
    outcome="never a wrong record; only touched lines are lost, and counted",
)
@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
def test_random_damage_costs_at_most_the_touched_lines(
    tmp_path_factory: pytest.TempPathFactory, start: int
) -> None:
    """1 to 64 bytes changed anywhere: no wrong record, only touched lines lost, the gap counted exactly."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    rng = random.Random(start)  # noqa: S311  # repeatable, not secret
    for _ in range(20):
        data = bytearray(WHOLE)
        length = rng.randint(1, 64)
        at = rng.randrange(len(WHOLE) - length)
        data[at : at + length] = bytes(rng.choice((rng.randrange(256), 10, 48)) for _ in range(length))
        put(folder, bytes(data))
        reader = JournalReader(folder)
        records = reader.read()

        kept = {r.seq: r for r in records}
        assert plain(list(kept.values())) == [RECORDS[seq - 1] for seq in kept]
        lost = set(range(1, len(LINES))) - kept.keys()
        assert lost <= touched(data)
        assert sum(d.missing for d in reader.damage) == sum(seq < max(kept, default=0) for seq in lost)


def touched(data: bytearray) -> set[int]:
    """Numbers of the records whose line, or the newline before it, is not what it was."""
    out, place = set(), 0
    for seq, line in enumerate(LINES):
        start = max(0, place - 1)
        if data[start : place + len(line)] != WHOLE[start : place + len(line)]:
            out.add(seq)
        place += len(line)
    return out


@pytest.mark.fault(
    "F16",
    how="bytes overwritten in the middle",
    outcome="the report names the range and how many records are missing",
)
def test_damage_names_its_bytes(folder: Path, read_all: Any) -> None:
    """A bad line in the middle is reported with its range, and as one missing record."""
    start = len(LINES[0]) + len(LINES[1])
    put(folder, WHOLE[: start + 40] + b"X" + WHOLE[start + 41 :])
    records, (bytes_damage, gap) = read_all(folder)

    assert [r.seq for r in records] == [1, *range(3, len(LINES))]
    assert (bytes_damage.start, bytes_damage.end) == (start, start + len(LINES[2]))
    assert gap.missing == 1


def test_damage_longer_than_a_chunk_hides_nothing_behind_it(
    folder: Path, read_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records behind a long damaged stretch are read before the writer's next segment."""
    monkeypatch.setattr(segment_module, "CHUNK", 64)
    put(folder, b"".join(LINES[:3]) + b"rubbish\n" * 100 + b"".join(LINES[3:6]))
    put(folder, header_of(segment=1) + b"".join(LINES[6:]), f"{WRITER}-0001")
    records, damage = read_all(folder)

    assert plain(records) == RECORDS
    assert [d.message for d in damage] == ["damaged bytes skipped"]


def test_damage_is_told_once_to_a_reader_that_starts_again(folder: Path) -> None:
    """Whoever restores a position behind the damage does not hear of it again; before it, he does."""
    put(folder, b"".join(LINES[:3]) + b"rubbish\n" + b"".join(LINES[3:]))
    reader = JournalReader(folder)
    reader.read(most=2)
    assert reader.damage == []
    before = reader.position.copy()
    reader.read(most=1)
    assert len(reader.damage) == 1

    again, after = JournalReader(folder, before), JournalReader(folder, reader.position.copy())
    again.read()
    after.read()
    assert len(again.damage) == 1
    assert after.damage == []


@pytest.mark.fault(
    "F17",
    how="lines of another writer",
    outcome="refused by their checksum, which the writer's id seeds",
)
def test_a_foreign_line_never_validates(folder: Path, read_all: Any) -> None:
    """A line of another writer in the middle of a segment is skipped, not taken for ours."""
    alien = line_of(4, codec.encode(Note(time=1, text="alien")), writer="ffffffffffffffff")
    put(folder, b"".join(LINES[:4]) + alien + b"".join(LINES[4:]))
    records, damage = read_all(folder)

    assert plain(records) == RECORDS
    assert [d.missing for d in damage] == [0]


def test_a_stale_line_counts_once(folder: Path, read_all: Any) -> None:
    """A line of the same writer that stands there a second time is not delivered a second time."""
    put(folder, b"".join(LINES[:4]) + LINES[2] + b"".join(LINES[4:]))

    records, damage = read_all(folder)

    assert plain(records) == RECORDS
    assert damage == []


@pytest.mark.fault(
    "F17",
    how="a segment copied beside itself",
    outcome="each record once",
)
@pytest.mark.parametrize("name", [f"{WRITER}-0000 (copy)", f"{WRITER}-0007", "backup-of-it", "zzz-0000"])
def test_a_copied_segment_doubles_nothing(folder: Path, read_all: Any, name: str) -> None:
    """A segment's writer stands in its header, whatever somebody called the copy."""
    put(folder, WHOLE)
    put(folder, WHOLE, name)
    records, damage = read_all(folder)

    assert plain(records) == RECORDS
    assert damage == []


def test_a_segment_of_another_run_is_passed_over_and_named(folder: Path) -> None:
    """Somebody copied a file into the wrong run's folder."""
    put(folder, WHOLE)
    other = "ffffffffffffffff"
    put(
        folder,
        header_of(run="elsewhere", writer=other) + line_of(1, codec.encode(RECORDS[0]), other),
        f"{other}-0000",
    )
    reader = JournalReader(folder, run="r")

    assert plain(reader.read()) == RECORDS
    assert [(d.segment, "elsewhere" in d.message) for d in reader.damage] == [(f"{other}-0000", True)]
    assert plain(list(read_run(folder.parent))) == RECORDS


@pytest.mark.fault(
    "F17",
    how="a segment deleted",
    outcome="the gap is reported with its exact count",
)
def test_a_missing_segment_is_counted_exactly(
    folder: Path, read_all: Any, metric: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of several segments is gone: the rest is read, the gap is the number of its records."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 600)
    writer = JournalWriter(folder, "r")
    for i in range(1, 41):
        writer.append(metric(i))
    paths = sorted(folder.iterdir())
    assert len(paths) > 4
    gone = paths[2].read_bytes().count(b"\n") - 1
    paths[2].unlink()
    records, damage = read_all(folder)

    assert len(records) == 40 - gone
    assert [d.missing for d in damage] == [gone]


def test_segments_are_read_by_number_not_by_spelling(folder: Path, read_all: Any) -> None:
    """The ten thousandth segment comes after the one before it."""
    put(folder, header_of(segment=9999) + b"".join(LINES[1:4]), f"{WRITER}-9999")
    put(folder, header_of(segment=10000) + b"".join(LINES[4:]), f"{WRITER}-10000")

    assert plain(read_all(folder)[0]) == RECORDS


@pytest.mark.fault(
    "F28",
    how="a record of a kind that this version does not know",
    outcome="passed over and counted",
)
def test_an_unknown_kind_is_counted_and_is_no_gap(folder: Path, read_all: Any) -> None:
    """A record of a later version is passed over with a count; nothing is called missing or damaged."""
    later = line_of(3, b'{"kind":"hologram","time":5}')
    put(folder, b"".join(LINES[:3]) + later + line_of(4, codec.encode(RECORDS[-1])))
    records, damage = read_all(folder)

    assert [r.seq for r in records] == [1, 2, 4]
    assert [(d.unknown, d.missing) for d in damage] == [(1, 0)]
    assert "hologram" in damage[0].message


def test_a_damaged_header_costs_the_header_only(folder: Path, read_all: Any) -> None:
    """The writer's name stands in the file's name too, so its records are still told genuine."""
    put(folder, WHOLE.replace(b'"run":"r"', b'"run":"s"', 1))
    records, damage = read_all(folder)

    assert plain(records) == RECORDS
    assert ["damaged" in d.message for d in damage] == [True]


@pytest.mark.fault(
    "F28",
    how="a segment for newer readers",
    outcome="refused, not a byte changed, with the command that helps",
)
def test_a_newer_format_is_refused_untouched_with_the_mend(folder: Path) -> None:
    """A file for newer readers, even with another form of header, is named, with the command that helps."""
    raw = b'{"format":9,"min_reader":2,"run":["another","form"]}'
    path = put(folder, b"RCJ1 %08x %b\n" % (crc32(raw), raw) + b"".join(LINES[1:]))
    before = path.read_bytes()

    with pytest.raises(FormatError, match=rf"{path.name}.*pip install -U runcast"):
        JournalReader(folder).read()
    assert path.read_bytes() == before


def test_an_unreadable_segment_stops_the_reader_but_loses_nothing(
    folder: Path, metric: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the error is given out first; once readable, the rest follows."""
    put(folder, b"".join(LINES[:6]))
    put(folder, header_of(segment=1) + b"".join(LINES[6:]), f"{WRITER}-0001")
    reader = JournalReader(folder)
    first = reader.read(most=1)
    real = segment_module.FileIO

    def broken(path: Path) -> Any:
        if path.stem.endswith("1"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(segment_module, "FileIO", broken)
    first += reader.read()
    with pytest.raises(JournalError, match=r"0001\.rcj: Permission denied"):
        reader.read()
    monkeypatch.undo()

    assert plain(first + reader.read()) == RECORDS


def test_rubbish_files_and_links_do_no_harm(folder: Path, tmp_path: Path, read_all: Any) -> None:
    """A text file called .rcj is reported; links, folders and other endings are not looked at."""
    put(folder, WHOLE)
    put(folder, b"hello\nworld\n", "notes")
    put(folder, b"\n", "-")
    (folder / "empty.rcj").touch()
    (folder / "folder.rcj").mkdir()
    (folder / "link.rcj").symlink_to(tmp_path / "nowhere")
    (folder / "x.rcj.tmp").write_bytes(WHOLE)
    records, damage = read_all(folder)

    assert plain(records) == RECORDS
    assert sorted(d.segment for d in damage) == ["-", "notes"]


def test_a_lost_record_is_a_record_like_others(folder: Path, read_all: Any) -> None:
    """What could not be kept is told to backends in order, with its count."""
    put(folder, header_of() + line_of(1, codec.encode(Lost(time=1, key="k", reason="full", count=7))))

    assert plain(read_all(folder)[0]) == [Lost(time=1, key="k", reason="full", count=7)]

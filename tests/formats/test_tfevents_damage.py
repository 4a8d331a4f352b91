"""Damaged and growing event files: what can be read is read, what is lost is counted."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcast.formats import tfevents
from runcast.formats.tfevents import frames

PAYLOADS = [tfevents.version_event(0)] + [
    tfevents.ScalarEncoder().event(i, i, {"loss": i / 3, "acc": 1.0}, []) for i in range(1, 5)
]
FRAMES = [tfevents.frame(payload) for payload in PAYLOADS]
FILE = b"".join(FRAMES)


def read(data: bytes) -> tuple[list[bytes], tfevents.FrameReader]:
    """The payloads of a file, and the reader with its counts."""
    reader = tfevents.FrameReader(io.BytesIO(data))
    return list(reader), reader


def test_a_file_cut_anywhere_gives_every_whole_event() -> None:
    """At every byte; a torn tail is no damage, and the reader stops in front of it."""
    ends = [sum(map(len, FRAMES[:n])) for n in range(len(FRAMES) + 1)]
    for cut in range(len(FILE) + 1):
        payloads, reader = read(FILE[:cut])
        whole = sum(end <= cut for end in ends) - 1
        assert payloads == PAYLOADS[:whole]
        assert (reader.damaged, reader.offset) == (0, ends[whole])


def test_a_flipped_bit_costs_one_event() -> None:
    """Each bit of the file in turn: the events around the hit one are all there."""
    for position in range(len(FILE)):
        for bit in range(8):
            data = bytearray(FILE)
            data[position] ^= 1 << bit
            payloads, reader = read(bytes(data))
            assert len(payloads) >= len(PAYLOADS) - 1
            assert [p for p in PAYLOADS if p in payloads] == payloads
            # A length that was hit in the last frame may look like a tail that is still being written.
            assert reader.damaged == 1 or reader.offset < len(FILE)


@pytest.mark.parametrize("junk", [b"\0" * 64, b"\xff" * 13, b"torn" * 50, FRAMES[2][:-3], FRAMES[1][:13]])
def test_bytes_in_between_are_skipped(junk: bytes) -> None:
    """Blocks of zeros, garbage, and an event that was cut short before others were appended."""
    payloads, reader = read(FRAMES[0] + FRAMES[1] + junk + b"".join(FRAMES[2:]))

    assert payloads == PAYLOADS
    assert reader.damaged == 1
    assert reader.skipped == len(junk)


@given(st.binary(max_size=200))
def test_garbage_never_raises(data: bytes) -> None:
    """And the events behind it are found, unless it looks like the head of a longer one."""
    payloads, reader = read(data + FILE)

    assert payloads == PAYLOADS
    assert reader.damaged == (1 if data else 0)


def test_files_put_together_read_as_one() -> None:
    """A second header in mid-file is an event like any other."""
    assert read(FILE + FILE)[0] == PAYLOADS * 2


def test_a_growing_file_is_followed() -> None:
    """A reader that met a torn tail goes on there once the rest is written."""
    file = io.BytesIO()
    reader = tfevents.FrameReader(file)
    seen: list[bytes] = []
    for byte in FILE:
        place = file.tell()
        file.seek(0, io.SEEK_END)
        file.write(bytes([byte]))
        file.seek(place)
        seen += reader

    assert seen == PAYLOADS
    assert reader.damaged == 0


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_the_size_of_a_read_does_not_matter(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames and damage that straddle the reader's buffer."""
    monkeypatch.setattr(frames, "_CHUNK", chunk)
    broken = bytearray(b"".join(FRAMES[:2]) + b"\0" * 100 + b"".join(FRAMES[2:]))
    broken[len(FRAMES[0]) + 20] ^= 1

    payloads, reader = read(bytes(broken))

    assert payloads == [PAYLOADS[0], *PAYLOADS[2:]]
    assert reader.skipped == len(FRAMES[1]) + 100

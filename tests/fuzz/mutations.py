"""Files as accidents and strangers leave them: good ones cut, flipped, doubled and forged."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

INTERESTING = (
    b"", b"\0", b"\n", b"\xff" * 8, b"\0" * 64, b"7fffffffffffffff", b"ffffffffffffffff", b"ffffffff",
    b"99999999999999999999999", b"-1", b"null", b"{}", b"[" * 3000, b'{"a":' * 3000, b'"\\ud800"', b"1e999",
    b"../../../x", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", b"{'descr': 'O', 'fortran_order': False}",
    b'{"$float":"nan"}', b'{"$float":[]}', b"RCJ1 ", b":W&B",
)  # fmt: skip
Change = Callable[[bytes], bytes]


def _at(data: bytes, share: float) -> int:
    return int(share * len(data))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One thing that happens to a file."""
    kind = draw(st.sampled_from(["flip", "cut", "drop", "double", "insert", "overwrite", "swap"]))
    first, second = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
    piece = draw(st.one_of(st.sampled_from(INTERESTING), st.binary(max_size=40)))
    bit = draw(st.integers(0, 7))

    def change(data: bytes) -> bytes:
        a, b = _at(data, first), _at(data, second)
        if kind == "flip" and data:
            a = min(a, len(data) - 1)
            return data[:a] + bytes((data[a] ^ 1 << bit,)) + data[a + 1 :]
        return {
            "cut": data[:a],
            "drop": data[:a] + data[b:],
            "double": data[:b] + data[a:b] + data[b:],
            "insert": data[:a] + piece + data[a:],
            "overwrite": data[:a] + piece + data[a + len(piece) :],
            "swap": data[b:] + data[a:b] + data[:a],
        }.get(kind, data)

    return change


def mutated(*good: bytes) -> st.SearchStrategy[bytes]:
    """One of these files, after up to four accidents; or nothing but noise."""

    def apply(data: bytes, several: list[Change]) -> bytes:
        for change in several:
            data = change(data)
        return data

    damaged = st.builds(apply, st.sampled_from(good), st.lists(changes(), min_size=1, max_size=4))
    return st.one_of(damaged, damaged, damaged, st.binary(max_size=300), st.sampled_from(INTERESTING))

"""Pictures, grids and animations, decoded by Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageSequence

from runcast.errors import Reject
from runcast.render import gif, grid, png
from runcast.render.png import encode


def npy(path: Path, array: Any) -> Path:
    """A blob: an array under a name without a suffix."""
    with path.open("wb") as file:
        np.save(file, array)
    return path


def decoded(data: bytes) -> np.ndarray:
    """Pixels as Pillow sees them."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


PICTURES = st.sampled_from(["uint8", "uint16"]).flatmap(
    lambda dtype: st.tuples(
        st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,), (4,)] if dtype == "uint8" else [()])
    ).flatmap(lambda size: hnp.arrays(dtype, (size[0], size[1], *size[2])))
)


@settings(deadline=None)
@given(PICTURES)
def test_every_pixel_comes_back(pixels: np.ndarray) -> None:
    """Grey, RGB and RGBA, and masks of 16 bits."""
    assert np.array_equal(decoded(encode(pixels)), pixels)


def test_smooth_pictures_get_small(tmp_path: Path) -> None:
    """The filters earn their place: a gradient takes a small part of its pixels."""
    rows = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    picture = np.stack([rows, rows // 2, rows[::-1]], axis=2)

    assert len(png(npy(tmp_path / "a", picture))) < picture.nbytes / 20


def test_encoded_pictures_are_passed_on_or_converted(tmp_path: Path) -> None:
    """PNG as it is, anything else by Pillow."""
    picture = Image.new("RGB", (4, 3), "red")
    picture.save(tmp_path / "a", "PNG")
    picture.save(tmp_path / "b", "BMP")

    assert png(tmp_path / "a") == (tmp_path / "a").read_bytes()
    assert decoded(png(tmp_path / "b")).tolist() == np.asarray(picture).tolist()


def test_a_grid_shows_every_picture_at_its_size(tmp_path: Path) -> None:
    """Grey and colour, small and large, arrays and files side by side, on white."""
    one = npy(tmp_path / "1", np.zeros((4, 6), np.uint8))
    two = npy(tmp_path / "2", np.full((2, 3, 3), 9, np.uint8))
    Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "3", "PNG")
    sheet = decoded(grid([one, two, tmp_path / "3"], columns=2))

    assert sheet.shape == (10, 14, 3)
    assert (sheet[:4, :6] == 0).all()
    assert (sheet[:2, 8:11] == 9).all()
    assert (sheet[2:4, 8:] == 255).all()
    assert (sheet[6:, :6] == (1, 2, 3)).all()
    assert decoded(grid([one] * 9)).shape == (16, 22, 3)


def test_frames_become_an_animation(tmp_path: Path) -> None:
    """As many frames, at the asked speed, for ever."""
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    for number in range(4):
        frames[number, number] = 255
    with Image.open(io.BytesIO(gif(npy(tmp_path / "v", frames), fps=20))) as film:
        assert (film.info["loop"], film.info["duration"]) == (0, 50)
        shown = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]

    assert np.array_equal(np.stack(shown), frames)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e9, 1e-9])
def test_any_speed_gives_an_animation(tmp_path: Path, fps: float) -> None:
    """A forged or odd number of frames per second does not matter."""
    frames = np.zeros((2, 3, 3, 3), np.uint8)
    frames[1] = 200

    assert gif(npy(tmp_path / "v", frames), fps)[:4] == b"GIF8"


def bomb(shape: str, dtype: str = "|u1", body: bytes = b"x" * 12) -> bytes:
    """An array whose header says what the forger likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00\x10\x00",
        bomb("(2, 2, 3)", body=b"x"),
        bomb("(100000, 100000, 3)"),
        bomb("(-1, -12)"),
        bomb("(2, 6)", "|O"),
        bomb("(3,)", "<f4"),
        bomb("(0, 12)", body=b""),
        bomb("(2, 6)", "|u1'"),
        bomb("(6, 2, 1)"),
        bomb("2**999"),
    ],
)
def test_forged_files_are_rejected(tmp_path: Path, content: bytes) -> None:
    """No pickle runs, nothing huge is read, and the courier gets the one error that it knows."""
    (tmp_path / "forged").write_bytes(content)
    if content != bomb("(6, 2, 1)"):  # one grey channel is a picture
        with pytest.raises(Reject):
            png(tmp_path / "forged")
        with pytest.raises(Reject):
            grid([tmp_path / "forged"])
    with pytest.raises(Reject):
        gif(tmp_path / "forged", 10)


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    """An array of objects could do anything when it is loaded."""
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (marker,))

    np.save(tmp_path / "evil.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(Reject):
        png(tmp_path / "evil.npy")

    assert not marker.exists()

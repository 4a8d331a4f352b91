"""Sound."""

from __future__ import annotations

import os
import struct
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from runcast.media.arrays import is_tensor, numpy, to_array
from runcast.media.store import Store, as_path, suffix_of
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize import step as whole_number

_SUFFIXES = (".wav", ".mp3", ".ogg", ".flac")
_MAGIC = ((b"RIFF", ".wav"), (b"OggS", ".ogg"), (b"fLaC", ".flac"), (b"ID3", ".mp3"), (b"\xff\xfb", ".mp3"))
_MOST_CHANNELS = 64


class Audio(Value):
    """A recording.

    Args:
        audio: samples: frames, frames×channels or channels×frames: the first axis is the channels where it is
            the shorter one and has at most 2, or 64 before a longer one or in a tensor. Floats in [-1, 1],
            int16, int32 or uint8. Or the path or bytes of a ``.wav``, ``.mp3``, ``.ogg`` or ``.flac`` file.
        sample_rate: frames per second in Hz; needed for samples.
        encoding: of floats: ``pcm16``, which every browser plays, or ``float32``, which keeps them exactly.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("audio", "encoding", "sample_rate")
    type: ClassVar[str] = "audio"

    def __init__(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        encoding: Literal["pcm16", "float32"] = "pcm16",
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.audio = audio
        self.sample_rate = sample_rate
        self.encoding = encoding

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        rate = self._rate()
        known: dict[str, Any] = {"sample_rate": rate} if rate else {}
        if isinstance(self.audio, (str, os.PathLike)):
            path = as_path(self.audio) or Path()
            file = store.file(f"audio{suffix_of(path, _SUFFIXES, 'audio file')}", path)
            return Draft(self.type, known | _of_wave(path), (file,))
        if isinstance(self.audio, (bytes, bytearray)):
            data = bytes(self.audio)
            suffix = next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), None)
            if suffix is None:
                raise Unfit("these bytes are no WAV, MP3, Ogg or FLAC")
            return Draft(self.type, known, (store.data(f"audio{suffix}", data),))
        if not rate:
            raise Unfit("samples need their rate: runcast.Audio(samples, sample_rate=16000)")
        samples = _frames_first(to_array(self.audio, "samples"), is_tensor(self.audio))
        samples, code = _encodable(samples, self.encoding, store)
        known |= {"channels": samples.shape[1], "frames": samples.shape[0]}
        return Draft(self.type, known, (store.data("audio.wav", *_wav(samples, rate, code)),))

    def _rate(self) -> int:
        if self.sample_rate is None:
            return 0
        rate = whole_number(self.sample_rate)
        if not isinstance(rate, int) or not 0 < rate < 1 << 32:
            raise Unfit(f"a sample rate is a whole number of Hz, not {self.sample_rate!r}")
        return rate


def _frames_first(array: Any, tensor: bool) -> Any:
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0:
        raise Unfit("samples have the shape frames, frames×channels or channels×frames, and are not empty")
    rows, columns = array.shape
    if rows < columns and rows <= _MOST_CHANNELS and (tensor or columns > _MOST_CHANNELS or rows <= 2):
        array = array.T
    if array.shape[1] > _MOST_CHANNELS:
        raise Unfit(f"samples with over {_MOST_CHANNELS} channels: give frames×channels")
    return array


def _encodable(samples: Any, encoding: str, store: Store) -> tuple[Any, int]:
    """(samples of a type that WAV has, its format code: 1 for PCM, 3 for IEEE floats)."""
    np = numpy()
    if samples.dtype.name in ("uint8", "int16", "int32"):
        return samples, 1
    if samples.dtype.kind != "f":
        raise Unfit(f"samples are floats in [-1, 1], int16, int32 or uint8, not {samples.dtype.name}")
    if encoding == "float32":
        return samples.astype(np.float32), 3
    low, high = samples.min(), samples.max()
    if not (low >= -1 and high <= 1):
        finite = np.isfinite(samples)
        if not finite.all():
            store.report(
                "samples as they were: those that are not finite are silent",
                f"{int((~finite).sum())} samples",
            )
            samples = np.where(finite, samples, 0)
        if samples.min() < -1 or samples.max() > 1:
            store.report(
                "samples as they were: floats outside [-1, 1] are clipped; scale them",
                f"from {low:.6g} to {high:.6g}",
            )
    return (np.clip(samples, -1, 1) * 32767).round().astype(np.int16), 1


def _wav(samples: Any, rate: int, code: int) -> tuple[bytes, bytes]:
    """Header and data of a RIFF/WAVE file (IBM and Microsoft, Multimedia Programming Interface 1.0)."""
    frames, channels = samples.shape
    width = samples.dtype.itemsize
    data = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    if len(data) >= (1 << 32) - 64:
        raise Unfit("a WAV file holds at most 4 GiB: use run.log_artifact")
    pad = b"\0" * (len(data) % 2)
    form = struct.pack(
        "<HHIIHH", code, channels, rate, rate * channels * width & 0xFFFFFFFF, channels * width, 8 * width
    )
    fact = b"fact" + struct.pack("<II", 4, frames) if code != 1 else b""
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + fact + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(body) + len(data) + len(pad)) + body, data + pad


def _of_wave(path: Path) -> dict[str, Any]:
    """What a WAV file's header says; nothing for other forms."""
    try:
        with wave.open(str(path), "rb") as file:
            return {
                "sample_rate": file.getframerate(),
                "channels": file.getnchannels(),
                "frames": file.getnframes(),
            }
    except (wave.Error, EOFError, OSError):
        return {}

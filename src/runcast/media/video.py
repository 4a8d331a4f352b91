"""Moving pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from runcast.media.arrays import is_tensor, numpy, to_array
from runcast.media.pixels import Layout, channels_last, to_uint8
from runcast.media.store import Store, as_path, suffix_of
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize.metrics import to_number

_SUFFIXES = (".mp4", ".webm", ".gif")


class Video(Value):
    """A film; frames are kept as they are and encoded by whoever shows them.

    Args:
        video: T×C×H×W or T×H×W×C array, tensor or list of frames, with C of 1, 3 or 4 (where both may be
            meant: T×C×H×W, as everywhere in video); T×H×W where there is one channel; pixels as of `Image`.
            Or the path of a ``.mp4``, ``.webm`` or ``.gif`` file.
        fps: frames per second.
        layout: ``"CHW"`` or ``"HWC"`` of each frame, needed only where both may be meant.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("fps", "layout", "video")
    type: ClassVar[str] = "video"

    def __init__(
        self,
        video: Any,
        fps: float = 10,
        *,
        layout: Layout | None = None,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.video = video
        self.fps = fps
        self.layout = layout

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        fps, reason = to_number(self.fps)
        if fps is None or not math.isfinite(fps) or fps <= 0:
            raise Unfit(f"fps is a positive number of frames per second{': ' + reason if reason else ''}")
        data: dict[str, Any] = {"fps": fps}
        if isinstance(self.video, (str, os.PathLike)):
            path = as_path(self.video) or Path()
            return Draft(self.type, data, (store.file(f"video{suffix_of(path, _SUFFIXES, 'video')}", path),))
        np = numpy()
        frames = to_array(self.video, "frames: T×C×H×W or T×H×W×C")
        if frames.ndim == 5:
            raise Unfit("an array of 5 axes is a batch of videos: log each under a name of its own")
        if frames.ndim not in (3, 4) or frames.size == 0:
            raise Unfit("a video has the shape T×C×H×W, T×H×W×C or T×H×W, and is not empty")
        if frames.ndim == 4:
            frames = channels_last(frames, is_tensor(self.video) or _both(frames), self.layout)
        else:
            frames = frames[:, :, :, None]
        frames = to_uint8(frames, store)
        frames = np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames
        if frames.shape[3] == 4:
            store.report("the alpha channel of the video: only its colours are kept")
            frames = frames[:, :, :, :3]
        data |= {"frames": frames.shape[0], "width": frames.shape[2], "height": frames.shape[1]}
        return Draft(self.type, data, (store.array("video.npy", frames),))


def _both(frames: Any) -> bool:
    return frames.shape[1] in (1, 3, 4) and frames.shape[3] in (1, 3, 4)

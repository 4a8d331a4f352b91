"""Pixels of every type and layout, as uint8, rows first."""

from __future__ import annotations

from typing import Any, Literal

from runcast.media.arrays import numpy
from runcast.media.store import Store
from runcast.media.value import Unfit

Layout = Literal["HWC", "CHW"]
_CHANNELS = (1, 3, 4)
_SAME = 1 / 510  # a float this far outside [0, 1] is the same pixel as the end


def channels_last(array: Any, first: bool, layout: Layout | None = None) -> Any:
    """The last three axes as H×W×C.

    An axis of 1, 3 or 4 is the channels. Where both ends could be, the last one is; of tensors, the first.

    Args:
        array: at least three axes.
        first: whether channels come first where both may be meant.
        layout: what the script says; it decides.

    Raises:
        Unfit: no axis can be the channels.
    """
    np = numpy()
    may_be_first, may_be_last = array.shape[-3] in _CHANNELS, array.shape[-1] in _CHANNELS
    if layout is not None:
        if str(layout).upper() not in ("HWC", "CHW"):
            raise Unfit(f"layout is 'HWC' or 'CHW', not {layout!r}")
        first = str(layout).upper() == "CHW"
        may_be_first, may_be_last = may_be_first and first, may_be_last and not first
    if may_be_first and (first or not may_be_last):
        return np.moveaxis(array, -3, -1)
    if may_be_last:
        return array
    raise Unfit(
        f"an array of {array.ndim} axes with none of 1, 3 or 4 channels is no picture: "
        "give H×W, H×W×C or C×H×W"
    )


def to_uint8(array: Any, store: Store) -> Any:
    """Pixels as uint8: bools as 0 and 255; uint16 by their upper byte; floats from [0, 1].

    Whole numbers of other types are taken as 0 to 255. What lies outside is clipped, NaN becomes 0, and both
    are reported.
    """
    np = numpy()
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    low, high = array.min(), array.max()  # NaN where one is in there
    if kind in "iu":
        if low < 0 or high > 255:
            store.report(
                "pixels as they were: whole numbers outside 0 to 255 are clipped; give uint8",
                f"from {low} to {high}",
            )
            array = np.clip(array, 0, 255)
        return array.astype(np.uint8)
    if not (low > -_SAME and high < 1 + _SAME):
        array = _in_range(np, array, store)
    return (np.clip(array, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)


def _in_range(np: Any, array: Any, store: Store) -> Any:
    finite = np.isfinite(array)
    strange = int(array.size - finite.sum())
    if strange:
        store.report(
            "pixels as they were: those that are not finite are drawn black (NaN, -inf) or white (inf)",
            f"{strange} of {array.size}",
        )
        array = np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=0.0)
    low, high = float(array.min()), float(array.max())
    if low < -_SAME or high > 1 + _SAME:
        store.report(
            "pixels as they were: floats outside [0, 1] are clipped; scale them, or give uint8",
            f"from {low:.6g} to {high:.6g}",
        )
    return array

"""Files whose end is missing: what of them is whole is read, what is not is refused.

A transfer that broke off, or a writer that forgot a delimiter, leaves a picture that a workstation shows. Nothing is
shown of which it cannot be said that it is there.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from ..errors import InputRefused
from .codestream import codestream_components

__all__ = [
    "END",
    "FILLER",
    "MISSING_SHARE",
    "fill_missing",
    "frame_concerns",
    "is_colour_named_grey",
    "lacks_end",
    "missing_pixels",
    "only_frame",
    "with_delimiter",
]

MISSING_SHARE = 0.005
"""So small a share of the pixels may be missing at the end of uncompressed data; they are painted as padding."""

MOST_FRAGMENTS = 10_000
"""A single frame has one fragment, rarely some hundreds; a hostile file has millions, and each is looked at."""

END = b"\xff\xd9"
"""End of image, of JPEG and JPEG-LS (ITU-T T.81 B.1.1.3)."""

FILLER = b"\x5a\xc3\x96\x0f\xa5\x3c\x69\xf0" * 512
"""Bytes in place of those that a frame lacks. A frame that decodes to the same pixels with them and without them had
every one of its rows: what a decoder makes of a missing part follows from these bytes."""

_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
_ITEM, _PIXEL_DATA, _UNDEFINED = b"\xfe\xff\x00\xe0", b"\xe0\x7f\x10\x00", b"\xff\xff\xff\xff"


def with_delimiter(data: bytes, at: int) -> bytes | None:
    """Return a file whose compressed pixel data lack their delimiter with one, or None for another file.

    A JPEG frame that is cut short is taken as far as it goes; whether that is all of it shows when it is decoded.

    Args:
        data: the whole file.
        at: where the element with Pixel Data begins.
    """
    if data[at : at + 4] != _PIXEL_DATA or data[at + 8 : at + 12] != _UNDEFINED:
        return None
    place, fragments = at + 12, 0
    while place + 8 <= len(data) and data[place : place + 4] == _ITEM:
        if fragments > MOST_FRAGMENTS:
            return None
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + length
        # the first item is the offset table
        fragments += 1
        if end > len(data):
            left = (len(data) - place - 8) // 2 * 2
            if fragments != 2 or data[place + 8 : place + 10] != b"\xff\xd8":
                return None
            return data[: place + 4] + left.to_bytes(4, "little") + data[place + 8 : place + 8 + left] + _DELIMITER
        place = end
    # a delimiter may be cut itself
    rest = data[place:]
    return data[:place] + _DELIMITER if fragments >= 2 and _DELIMITER.startswith(rest) and rest != _DELIMITER else None


def missing_pixels(ds: Dataset) -> int:
    """Return how many pixels uncompressed data lack at their end, and give the data so many zeros.

    Raises InputRefused where that are more than :data:`MISSING_SHARE`.
    """
    if ds.PhotometricInterpretation == "YBR_FULL_422":
        return 0
    pixels = int(ds.Rows) * int(ds.Columns)
    width = int(ds.SamplesPerPixel) * int(ds.BitsAllocated) // 8
    lacking = pixels * width - len(ds.PixelData)
    if lacking <= 0:
        return 0
    missing = -(-lacking // width)
    if missing > max(1, int(pixels * MISSING_SHARE)):
        raise InputRefused("DICOM whose pixel data are cut short: fewer than its rows and columns. Export it again.")
    ds["PixelData"].value = bytes(ds.PixelData) + bytes(lacking + lacking % 2)
    return missing


def fill_missing(pixels: np.ndarray, missing: int) -> tuple[np.ndarray, int | None]:
    """Return (rows, columns) containers whose last pixels hold a value that no other has, and that value.

    Where every value is taken, as it may be in 8 bits, they keep what they have, and there is none.
    """
    flat = pixels.reshape(-1).copy()
    free = np.flatnonzero(np.bincount(flat[:-missing], minlength=1 << (8 * pixels.itemsize)) == 0)
    if not len(free):
        return pixels, None
    flat[-missing:] = free[-1]
    return flat.reshape(pixels.shape), int(free[-1])


def only_frame(ds: Dataset) -> bytes:
    """Return the one compressed frame, empty where it cannot be found: that is the decoder's matter."""
    try:
        return get_frame(ds.PixelData, 0, number_of_frames=1)
    except Exception:
        # pydicom fails in any way on broken items
        return b""


def lacks_end(frame: bytes) -> bool:
    """Return whether a JPEG or JPEG-LS frame has no end marker."""
    return frame[:2] == b"\xff\xd8" and not frame.rstrip(b"\0").endswith(END) and END not in frame


def is_colour_named_grey(ds: Dataset, frame: bytes) -> bool:
    """Return whether a frame has three components under a header of one."""
    return int(ds.SamplesPerPixel) == 1 and codestream_components(frame) == 3


def frame_concerns(ds: Dataset) -> list[str]:
    """Return what is wrong with a compressed frame that is decoded all the same, in words."""
    frame, concerns = only_frame(ds), []
    if lacks_end(frame):
        concerns.append("the compressed frame has no end marker: decoded as far as it goes, every row was there")
    if is_colour_named_grey(ds, frame):
        concerns.append("the header says grey and the compressed frame is in colour: its luma was taken")
    return concerns

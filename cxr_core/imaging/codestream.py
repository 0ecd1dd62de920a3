"""Compressed frames before they are decoded: the size that the codestream declares, and a missing end.

A decoder follows the codestream, not the DICOM header: a frame that claims 20,000 x 20,000 pixels would be decoded
before the contradiction shows, so its size is read here first. A transfer that broke off, or a writer that forgot a
delimiter, leaves an image that a workstation shows; it is read only if every row of it proves to be there.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

__all__ = [
    "END",
    "FILLER",
    "codestream_components",
    "codestream_size",
    "frame_warnings",
    "is_colour_named_grey",
    "lacks_end",
    "only_frame",
    "with_delimiter",
]

MAX_FRAGMENTS = 10_000
"""A single frame has one fragment, rarely some hundreds; a hostile file has millions."""

END = b"\xff\xd9"
"""End of image, of JPEG and JPEG-LS (ITU-T T.81 B.1.1.3)."""

FILLER = b"\x5a\xc3\x96\x0f\xa5\x3c\x69\xf0" * 512
"""Bytes in place of those that a frame lacks.

A decoder derives the pixels of a missing part from these bytes. So a frame that decodes to the same pixels with and
without them has every one of its rows.
"""

_JPEG_2000 = b"\xff\x4f\xff\x51"
_NOT_A_FRAME = {0xC4, 0xC8, 0xCC}
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
_ITEM, _PIXEL_DATA, _UNDEFINED = b"\xfe\xff\x00\xe0", b"\xe0\x7f\x10\x00", b"\xff\xff\xff\xff"


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream, or None for another.

    JPEG and JPEG-LS: the first SOF marker (ITU-T T.81 B.2.2, T.87 C.2.2). JPEG 2000: SIZ (T.800 A.5.1).
    """
    if frame[:4] == _JPEG_2000:
        right, bottom, left, top = (int.from_bytes(frame[8 + 4 * i : 12 + 4 * i], "big") for i in range(4))
        return bottom - top, right - left
    start = _frame_header(frame)
    if start is None:
        return None
    return int.from_bytes(frame[start + 5 : start + 7], "big"), int.from_bytes(frame[start + 7 : start + 9], "big")


def codestream_components(frame: bytes) -> int | None:
    """Return how many components such a codestream has, or None for another (the same clauses)."""
    if frame[:4] == _JPEG_2000:
        return int.from_bytes(frame[40:42], "big")
    start = _frame_header(frame)
    return None if start is None or start + 9 >= len(frame) else frame[start + 9]


def _frame_header(frame: bytes) -> int | None:
    """Return the offset of the first SOF marker of a JPEG or JPEG-LS frame."""
    if frame[:2] != b"\xff\xd8":
        return None
    offset = 2
    while offset + 9 <= len(frame) and frame[offset] == 0xFF:
        marker = frame[offset + 1]
        if marker == 0xFF:
            offset += 1
        elif (0xC0 <= marker <= 0xCF and marker not in _NOT_A_FRAME) or marker == 0xF7:
            return offset
        else:
            offset += 2 + int.from_bytes(frame[offset + 2 : offset + 4], "big")
    return None


def with_delimiter(data: bytes, offset: int) -> bytes | None:
    """Return a file whose compressed pixel data lack their delimiter with one, or None for another file.

    A JPEG frame that is truncated is taken as far as it goes; whether it is complete shows when it is decoded.

    Args:
        data: the whole file.
        offset: where the element with Pixel Data begins.
    """
    if data[offset : offset + 4] != _PIXEL_DATA or data[offset + 8 : offset + 12] != _UNDEFINED:
        return None
    item, fragments = offset + 12, 0
    while item + 8 <= len(data) and data[item : item + 4] == _ITEM:
        if fragments > MAX_FRAGMENTS:
            return None
        value = item + 8
        end = value + int.from_bytes(data[item + 4 : value], "little")
        # the first item is the offset table
        fragments += 1
        if end > len(data):
            length = (len(data) - value) // 2 * 2
            if fragments != 2 or data[value : value + 2] != b"\xff\xd8":
                return None
            return data[: item + 4] + length.to_bytes(4, "little") + data[value : value + length] + _DELIMITER
        item = end
    # a delimiter may be cut itself
    rest = data[item:]
    return data[:item] + _DELIMITER if fragments >= 2 and _DELIMITER.startswith(rest) and rest != _DELIMITER else None


def only_frame(ds: Dataset) -> bytes:
    """Return the one compressed frame; empty where there is none to be found, which the decoder then refuses."""
    try:
        return get_frame(ds.PixelData, 0, number_of_frames=1)
    except Exception:
        # pydicom fails in any way on broken items
        return b""


def lacks_end(frame: bytes) -> bool:
    """Return whether a JPEG or JPEG-LS frame has no end marker."""
    return frame[:2] == b"\xff\xd8" and not frame.rstrip(b"\0").endswith(END) and END not in frame


def is_colour_named_grey(ds: Dataset, frame: bytes) -> bool:
    """Return whether a frame has three components although the header says one."""
    return int(ds.SamplesPerPixel) == 1 and codestream_components(frame) == 3


def frame_warnings(ds: Dataset) -> list[str]:
    """Return what is wrong with a compressed frame that is decoded all the same."""
    frame, warnings = only_frame(ds), []
    if lacks_end(frame):
        warnings.append("the compressed frame has no end marker: decoded as far as it goes, every row was there")
    if is_colour_named_grey(ds, frame):
        warnings.append("the header says grey and the compressed frame is in colour: its luma was taken")
    return warnings

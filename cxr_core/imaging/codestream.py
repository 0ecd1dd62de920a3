"""How large a compressed frame says it is, read before anything is decoded.

A decoder believes the codestream, not the DICOM header: one that claims 20,000 x 20,000 pixels would be
decoded whole before the contradiction shows.
"""

from __future__ import annotations

__all__ = ["codestream_components", "codestream_size"]

_NOT_A_FRAME = {0xC4, 0xC8, 0xCC}


_JPEG_2000 = b"\xff\x4f\xff\x51"


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream, or None for another.

    JPEG and JPEG-LS: the first SOF marker (ITU-T T.81 B.2.2, T.87 C.2.2). JPEG 2000: SIZ (T.800 A.5.1).
    """
    if frame[:4] == _JPEG_2000:
        right, bottom, left, top = (int.from_bytes(frame[8 + 4 * i : 12 + 4 * i], "big") for i in range(4))
        return bottom - top, right - left
    at = _frame_header(frame)
    if at is None:
        return None
    return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")


def codestream_components(frame: bytes) -> int | None:
    """Return how many components such a codestream has, or None for another (the same clauses)."""
    if frame[:4] == _JPEG_2000:
        return int.from_bytes(frame[40:42], "big")
    at = _frame_header(frame)
    return None if at is None or at + 9 >= len(frame) else frame[at + 9]


def _frame_header(frame: bytes) -> int | None:
    """Return where the first SOF marker of a JPEG or JPEG-LS frame stands."""
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
        elif (0xC0 <= marker <= 0xCF and marker not in _NOT_A_FRAME) or marker == 0xF7:
            return at
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None

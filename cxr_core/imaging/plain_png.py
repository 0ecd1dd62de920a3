"""Plain grey PNG, as radiographs in PNG are, decoded by Rust's ``png`` in a third of Pillow's time.

Encoders choose the Paeth filter for most rows of a radiograph, and it is undone one pixel after the other. Any other
file, and one with whatever is unusual or broken, is left to Pillow: what is read and what is refused does not change,
but for one thing. The checksum of the unpacked pixels (Adler-32) is not looked at, only those of the chunks that they
are packed in (CRC): a file of which the pixels were damaged before the chunks were made is read. Pillow refuses it.
"""

from __future__ import annotations

import struct
import zlib

import kornia_rs.io
import numpy as np

__all__ = ["decode_plain_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _NOT_INTERLACED = 0, 0
_WITHOUT_EFFECT = {b"IEND": 0, b"sRGB": 1, b"gAMA": 4, b"tIME": 7, b"pHYs": 9, b"cHRM": 32}
"""Chunks by which no decoder here changes a grey image, and the bytes of their content."""
_WITH_EFFECT = (b"Raw profile", b"XML:", b"exif\0", b"xmp\0", b"interlace\0")
"""Beginnings of texts in which an orientation may be stated, or that Pillow takes for something that it has read."""


def decode_plain_png(data: bytes) -> np.ndarray | None:
    """Return the (rows, columns) uint8 or uint16 values of a PNG; None for one that is left to Pillow.

    Args:
        data: the whole file, of a size that was checked.
    """
    head = _plain_head(data)
    if head is None:
        return None
    columns, rows, bits = head
    decode = kornia_rs.io.decode_image_png_u8 if bits == 8 else kornia_rs.io.decode_image_png_u16
    try:
        return np.asarray(decode(data, (rows, columns), "mono")).reshape(rows, columns)
    except BaseException as error:
        # it panics where there is no memory for the pixels, and a panic of Rust is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        # whatever is wrong with the file, Pillow is the one to say it
        return None


def _plain_head(data: bytes) -> tuple[int, int, int] | None:
    """Return columns, rows and bits of a grey PNG of 8 or 16 bits that is whole and has no chunk with an effect."""
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    columns, rows, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if bits not in (8, 16) or colour != _GREY or interlaced != _NOT_INTERLACED:
        return None
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        # length and kind, the content, its CRC
        length = int.from_bytes(data[at : at + 4], "big")
        kind, following = data[at + 4 : at + 8], at + length + 12
        if following > len(data):
            return None
        # what was checked is the size of the last head, and room is made for that of the first
        is_head = kind == b"IHDR" and at == len(_SIGNATURE)
        if kind != b"IDAT" and not _is_without_effect(kind, data[at + 4 : following], is_head=is_head):
            return None
        at = following
    return columns, rows, bits


def _is_without_effect(kind: bytes, chunk: bytes, *, is_head: bool) -> bool:
    """Return whether a chunk, from its kind to its CRC, is right and changes nothing beyond what the head says."""
    if zlib.crc32(chunk[:-4]) != int.from_bytes(chunk[-4:], "big"):
        return False
    if kind == b"tEXt":
        return not chunk[4:].startswith(_WITH_EFFECT)
    return is_head or _WITHOUT_EFFECT.get(kind) == len(chunk) - 8

"""PNG and TIFF with 16-bit colour, or 16-bit grey with alpha, at their full depth.

Pillow keeps the upper bytes of such samples only, and does not open some of these files; an image of 10 or 12 bits in
16 would be nearly black. So colour is decoded twice, the second time in the opposite order of bytes, which gives the
lower bytes. Grey with alpha is given to Pillow as four samples of 8 bits, which lie in the file the same way.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from ..errors import InputRefused

__all__ = ["GreyAlpha", "colour_samples", "grey_alpha_png", "grey_alpha_tiff", "is_sixteen_bit_colour"]

_UPPER_OF = {"B": "B", "L": "L", "N": "L" if sys.byteorder == "little" else "B"}
_OPPOSITE = {"B": "L", "L": "B"}


def is_sixteen_bit_colour(image: Image.Image) -> bool:
    """Return whether an opened image, not yet decoded, has colour samples of 16 bits."""
    return (
        isinstance(image, ImageFile)
        and bool(image.tile)
        and _raw_mode(image.tile[0].args)[:-1] in ("RGB;16", "RGBA;16", "RGBa;16", "RGBX;16")
    )


def _raw_mode(args: object) -> str:
    mode = args[0] if isinstance(args, tuple) and args else args
    return mode if isinstance(mode, str) else ""


def colour_samples(data: bytes, name: str) -> np.ndarray:
    """Return the (rows, columns, 3 or 4) uint16 samples of such an image.

    Args:
        data: the whole file.
        name: Pillow's name of its format.
    """
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        letter = _UPPER_OF[_raw_mode(image.tile[0].args)[-1]]
        upper = np.asarray(_unpacked_as(image, letter)).astype(np.uint16)
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        lower = np.asarray(_unpacked_as(image, _OPPOSITE[letter]))
    return (upper << 8) | lower


def _unpacked_as(image: ImageFile, letter: str) -> ImageFile:
    def with_letter(args: tuple[object, ...] | str | None) -> tuple[object, ...] | str:
        # colours multiplied by their alpha (RGBa) are read as stored: Pillow would divide them in 8 bits
        mode = _raw_mode(args)[:-1].replace("RGBa", "RGBA") + letter
        return (mode, *args[1:]) if isinstance(args, tuple) else mode

    image.tile = [tile._replace(args=with_letter(tile.args)) for tile in image.tile]
    image.load()
    return image


@dataclass(frozen=True)
class GreyAlpha:
    """A file of 16-bit grey with alpha, rewritten as one of four samples of 8 bits.

    Attributes:
        data: the whole file, with another header.
        little_endian: the lower byte of a sample comes first.
        differences: samples hold the difference to their left neighbour (TIFF 6.0, section 14).
    """

    data: bytes
    little_endian: bool
    differences: bool = False

    def samples(self, name: str) -> np.ndarray:
        """Return its (rows, columns, 2) uint16 samples: grey and alpha."""
        with Image.open(io.BytesIO(self.data), formats=[name]) as image:
            image.load()
            pairs = np.ascontiguousarray(np.asarray(image))
        samples = pairs.view("<u2" if self.little_endian else ">u2").astype(np.uint16)
        return np.cumsum(samples, axis=1, dtype=np.uint16) if self.differences else samples


_PNG_HEAD, _GREY_ALPHA_16, _RGBA_8 = slice(12, 29), b"\x10\x04", b"\x08\x06"


def grey_alpha_png(data: bytes) -> GreyAlpha | None:
    """Rewrite a PNG of 16-bit grey with alpha; None for another (PNG 11.2.2: IHDR is the first chunk)."""
    if data[24:26] != _GREY_ALPHA_16:
        return None
    head = data[:24] + _RGBA_8 + data[26:29]
    return GreyAlpha(head + zlib.crc32(head[_PNG_HEAD]).to_bytes(4, "big") + data[33:], little_endian=False)


_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _PREDICTOR, _TILE, _EXTRA = 258, 262, 277, 284, 317, 322, 338
_GREY, _RGB, _CHUNKY, _HORIZONTAL = 1, 2, 1, 2
_SHORT = 3
_WHOLE_NUMBERS = {_SHORT: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}
"""Types of a value (SHORT, LONG, LONG8) with their format letter and bytes: a size may be any of them."""


def grey_alpha_tiff(data: bytes) -> GreyAlpha | None:
    """Rewrite a TIFF of 16-bit grey with alpha; None for another (TIFF 6.0, section 2; BigTIFF).

    Raises InputRefused for one in tiles with horizontal differencing.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return None
    try:
        entries = _entries(data, order)
    except struct.error:
        return None
    tags = {tag: value for tag, (value, _) in entries.items()}
    fits = (
        tags.get(_SAMPLES) == 2
        and tags.get(_BITS) == 16
        and tags.get(_PHOTOMETRIC) == _GREY
        and tags.get(_PLANAR, _CHUNKY) == _CHUNKY
        and _EXTRA in tags
    )
    differences = tags.get(_PREDICTOR, 1) == _HORIZONTAL
    if not fits or tags.get(_PREDICTOR, 1) > _HORIZONTAL:
        return None
    if differences and _TILE in tags:
        # differences begin anew in every tile
        raise InputRefused("TIFF of 16-bit grey with alpha, in tiles of differences: not read here. Export it as PNG.")
    patched = bytearray(data)
    for tag, value in ((_BITS, 8), (_PHOTOMETRIC, _RGB), (_SAMPLES, 4), (_EXTRA, 2), (_PREDICTOR, 1)):
        if tag in entries:
            _write(patched, entries[tag][1], order, value)
    return GreyAlpha(bytes(patched), order == "<", differences)


def _entries(data: bytes, order: str) -> dict[int, tuple[int, int]]:
    """Return (first value, offset of the entry) of each tag with whole numbers in the first directory."""
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    start = struct.unpack_from(f"{order}Q", data, 8)[0] if big else struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)[0]
    start, step, inline = start + (8 if big else 2), 20 if big else 12, 8 if big else 4
    entries = {}
    for entry in range(start, start + step * min(count, 4096), step):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        number = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, entry + 4)[0]
        value = entry + (12 if big else 8)
        if kind in _WHOLE_NUMBERS:
            letter, size = _WHOLE_NUMBERS[kind]
            if number * size > inline:
                value = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, value)[0]
            entries[tag] = struct.unpack_from(f"{order}{letter}", data, value)[0], entry
    return entries


def _write(data: bytearray, entry: int, order: str, value: int) -> None:
    """Overwrite a directory entry with one short value."""
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    struct.pack_into(f"{order}H", data, entry + 2, _SHORT)
    struct.pack_into(f"{order}{'Q' if big else 'I'}", data, entry + 4, 1)
    struct.pack_into(f"{order}H", data, entry + (12 if big else 8), value)

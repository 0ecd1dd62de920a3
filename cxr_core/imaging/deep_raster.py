"""Colour, and grey with alpha, of 16 bits: Pillow keeps their upper bytes only, and some it does not open at all.

A picture of 10 or 12 bits in 16 would be nearly black by its upper bytes. Pillow unpacks samples of 16 bits to 8 by
taking the upper byte; told that their bytes lie the other way round it takes the lower one, so a picture decoded
twice has all of them. Grey with alpha is handed to it as four samples of 8 bits, which lie in the file the same way.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import InputRefused

__all__ = ["DeepGrey", "deep_samples", "grey_alpha_png", "grey_alpha_tiff", "is_deep"]

_UPPER_OF = {"B": "B", "L": "L", "N": "L" if sys.byteorder == "little" else "B"}
_OTHER = {"B": "L", "L": "B"}


def is_deep(image: Image.Image) -> bool:
    """Return whether an opened picture, not yet decoded, has colour samples of 16 bits."""
    return bool(image.tile) and _raw_mode(image.tile[0].args)[:-1] in ("RGB;16", "RGBA;16", "RGBa;16", "RGBX;16")


def _raw_mode(args: object) -> str:
    mode = args[0] if isinstance(args, tuple) and args else args
    return mode if isinstance(mode, str) else ""


def deep_samples(data: bytes, name: str) -> np.ndarray:
    """Return the (rows, columns, 3 or 4) uint16 samples of such a picture.

    Args:
        data: the whole file.
        name: Pillow's name of its format.
    """
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        letter = _UPPER_OF[_raw_mode(image.tile[0].args)[-1]]
        upper = np.asarray(_unpacked_as(image, letter)).astype(np.uint16)
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        lower = np.asarray(_unpacked_as(image, _OTHER[letter]))
    return (upper << 8) | lower


def _unpacked_as(image: Image.Image, letter: str) -> Image.Image:
    def turned(args: object) -> object:
        # colours that are multiplied by their alpha (RGBa) are taken as stored: divided they would be of 8 bits
        mode = _raw_mode(args)[:-1].replace("RGBa", "RGBA") + letter
        return (mode, *args[1:]) if isinstance(args, tuple) else mode

    image.tile = [tile._replace(args=turned(tile.args)) for tile in image.tile]
    image.load()
    return image


@dataclass(frozen=True)
class DeepGrey:
    """A file of grey with alpha of 16 bits as one of four samples of 8 bits.

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
            bytes_of = np.ascontiguousarray(np.asarray(image))
        samples = bytes_of.view("<u2" if self.little_endian else ">u2").astype(np.uint16)
        return np.cumsum(samples, axis=1, dtype=np.uint16) if self.differences else samples


_PNG_HEAD, _DEEP_GREY_ALPHA, _RGBA = slice(12, 29), b"\x10\x04", b"\x08\x06"


def grey_alpha_png(data: bytes) -> DeepGrey | None:
    """Return a PNG of grey with alpha of 16 bits so, or None for another (PNG 11.2.2: IHDR is the first chunk)."""
    if data[24:26] != _DEEP_GREY_ALPHA:
        return None
    head = data[:24] + _RGBA + data[26:29]
    return DeepGrey(head + zlib.crc32(head[_PNG_HEAD]).to_bytes(4, "big") + data[33:], little_endian=False)


_BITS, _PHOTOMETRIC, _SAMPLES, _PLANAR, _PREDICTOR, _TILE, _EXTRA = 258, 262, 277, 284, 317, 322, 338
_GREY, _RGB, _CHUNKY, _HORIZONTAL = 1, 2, 1, 2
_SHORT = 3
_WHOLE_NUMBERS = {_SHORT: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}
"""Kinds of a value (SHORT, LONG, LONG8) with their letter and bytes: a size may be any of them."""


def grey_alpha_tiff(data: bytes) -> DeepGrey | None:
    """Return a TIFF of grey with alpha of 16 bits so, or None for another (TIFF 6.0, section 2; BigTIFF).

    Raises InputRefused for one in tiles of differences.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return None
    try:
        entries = _entries(data, order)
    except struct.error:
        return None
    said = {tag: value for tag, (value, _) in entries.items()}
    fits = (
        said.get(_SAMPLES) == 2
        and said.get(_BITS) == 16
        and said.get(_PHOTOMETRIC) == _GREY
        and said.get(_PLANAR, _CHUNKY) == _CHUNKY
        and _EXTRA in said
    )
    differences = said.get(_PREDICTOR, 1) == _HORIZONTAL
    if not fits or said.get(_PREDICTOR, 1) > _HORIZONTAL:
        return None
    if differences and _TILE in said:
        # they begin anew in every tile
        raise InputRefused("TIFF of 16-bit grey with alpha, in tiles of differences: not read here. Export it as PNG.")
    patched = bytearray(data)
    for tag, value in ((_BITS, 8), (_PHOTOMETRIC, _RGB), (_SAMPLES, 4), (_EXTRA, 2), (_PREDICTOR, 1)):
        if tag in entries:
            _write(patched, entries[tag][1], order, value)
    return DeepGrey(bytes(patched), order == "<", differences)


def _entries(data: bytes, order: str) -> dict[int, tuple[int, int]]:
    """Return (first value, place of the entry) of each tag of the first directory whose values are whole."""
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    at = struct.unpack_from(f"{order}Q", data, 8)[0] if big else struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, at)[0]
    at, step, inline = at + (8 if big else 2), 20 if big else 12, 8 if big else 4
    found = {}
    for place in range(at, at + step * min(count, 4096), step):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        number = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, place + 4)[0]
        value = place + (12 if big else 8)
        if kind in _WHOLE_NUMBERS:
            letter, size = _WHOLE_NUMBERS[kind]
            if number * size > inline:
                value = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, value)[0]
            found[tag] = struct.unpack_from(f"{order}{letter}", data, value)[0], place
    return found


def _write(data: bytearray, place: int, order: str, value: int) -> None:
    """Write an entry of one short value."""
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    struct.pack_into(f"{order}H", data, place + 2, _SHORT)
    struct.pack_into(f"{order}{'Q' if big else 'I'}", data, place + 4, 1)
    struct.pack_into(f"{order}H", data, place + (12 if big else 8), value)

"""Pixels that are not square: the picture is stretched until they are, and distances follow.

A film digitiser or an exporter may keep rows and columns at other distances. The shape of a chest decides what is
read of it, so the picture that is shown and read has square pixels.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from .elements import decimal_numbers
from .pixels import Pixels

__all__ = ["pixel_shape", "squared"]

SAME = 0.01
"""Distances that differ by less than this share are taken as equal: rounding in the header."""

MOST = 5.0
"""A pixel this many times as high as wide, or as wide as high, is a mistake in the header."""

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_CODES = 1 << 16


def pixel_shape(ds: Dataset, repairs: list[str]) -> float:
    """Return the height of a pixel over its width, 1 where the header does not say.

    A spacing decides, else Pixel Aspect Ratio, which is there for images without one (PS3.3 C.7.6.3.1.7). Of several
    spacings that contradict each other the first is followed, and that is a concern.
    """
    said = []
    for keyword in (*_SPACINGS, "PixelAspectRatio"):
        numbers = decimal_numbers(ds, keyword, repairs) if keyword in ds else []
        if len(numbers) == 2 and all(0 < number < 1e6 for number in numbers):
            said.append(numbers[0] / numbers[1])
    if not said:
        return 1.0
    shape = said[0]
    if any(abs(other / shape - 1) > SAME for other in said[1:]):
        repairs.append("spacings or an aspect ratio that contradict each other: the first was followed")
    if not 1 / MOST <= shape <= MOST:
        repairs.append("a pixel spacing or aspect ratio that cannot be true: left out")
        return 1.0
    return 1.0 if abs(shape - 1) <= SAME else shape


def squared(pixels: Pixels, stored: np.ndarray, shape: float) -> Pixels:
    """Return a picture with square pixels: the side on which they are longer gets more of them.

    Values between pixels lie on the straight line between stored values; beside padding the nearest pixel is taken,
    so that nothing is mixed with it.

    Args:
        pixels: (rows, columns) containers with their tables.
        stored: (n,) stored value of each container.
        shape: height of a pixel over its width.
    """
    codes, container = _codes(pixels, stored)
    axis, times = (0, shape) if shape > 1 else (1, 1 / shape)
    old = codes.shape[axis]
    new = max(1, round(old * times))
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    before = np.floor(at).astype(np.intp)
    after = np.minimum(before + 1, old - 1)
    share = (at - before).astype(np.float32)
    share = share[:, None] if axis == 0 else share
    first, second = codes.take(before, axis), codes.take(after, axis)
    mixed = np.rint(first + share * (second.astype(np.float32) - first)).astype(np.uint16)
    padding = pixels.padding[container]
    if padding.any():
        nearest = np.where(share < 0.5, first, second)
        mixed = np.where(padding[first] | padding[second], nearest, mixed)
    return Pixels(mixed, pixels.values[container], pixels.display[container], padding)


def _codes(pixels: Pixels, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, columns) uint16 codes that rise with stored values, and a container for each of 65,536 codes."""
    code_of = (stored - stored.min()).astype(np.int64)
    picture = ~pixels.padding
    # padding that is wider than the stored bits shares its stored value with pixels: it gets a code that none has
    if code_of.max() < _CODES - 1 and np.isin(code_of[pixels.padding], code_of[picture]).any():
        code_of = np.where(picture, code_of, _CODES - 1)
    container = np.zeros(_CODES, dtype=np.int64)
    container[code_of] = np.arange(len(stored))
    return code_of.astype(np.uint16)[pixels.containers], container

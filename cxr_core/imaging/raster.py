"""PNG, JPEG and TIFF to grey values. Pillow decodes; its errors are translated here."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputRefused
from .limits import check_size
from .radiograph import Kind
from .silence import silence

__all__ = ["Raster", "luma", "read_raster", "turn_words", "turned_raster"]

_GREY = {"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Raster:
    """Grey values of a picture file.

    Attributes:
        values: (rows, columns) uint8 or uint16, by ``bits``; 0 is black, row 0 on top.
        bits: 8 or 16.
        transforms: what was done, in words.
        warnings: what speaks against the picture, in words.
    """

    values: np.ndarray
    bits: int
    transforms: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def luma(rgb: np.ndarray) -> np.ndarray:
    """Return the brightness of (rows, columns, 3) uint8 colours, uint8, by ITU-R BT.601: 0.299, 0.587, 0.114."""
    weighted = rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return np.rint(weighted).astype(np.uint8)


def turn_words(quarter_turns: int, by: str = "reader") -> tuple[str, ...]:
    """Return the transform of a film that was turned, in words that say by whom."""
    return (f"turned by the {by}: {90 * quarter_turns} degrees clockwise",) if quarter_turns else ()


def turned_raster(raster: Raster, quarter_turns: int) -> Raster:
    """Return a picture turned clockwise by quarters."""
    values = np.ascontiguousarray(np.rot90(raster.values, -quarter_turns))
    return replace(raster, values=values, transforms=(*raster.transforms, *turn_words(quarter_turns)))


def read_raster(data: bytes, kind: Kind) -> Raster:
    """Decode a picture.

    Raises:
        InputRefused: it is cut short or broken, has several pages, samples of another depth, or too
            many pixels.
    """
    name = kind.upper()
    try:
        with warnings.catch_warnings():
            # the size is checked below, before anything is decoded
            warnings.simplefilter("ignore")
            # libtiff writes to stderr by itself; the others need not wait for each other
            quiet = silence() if kind == "tiff" else contextlib.nullcontext()
            with quiet, Image.open(io.BytesIO(data), formats=[name]) as image:
                check_size(image.height, image.width)
                if getattr(image, "n_frames", 1) > 1:
                    raise InputRefused(f"{name} with {image.n_frames} pages: one film is accepted, not several.")
                return _grey(image, name)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise InputRefused(f"{name} with far too many pixels. Give the film at its own size.") from error
    except UnidentifiedImageError as error:
        raise InputRefused(f"{name} that cannot be opened: its header is broken or cut short.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise InputRefused(f"{name} that cannot be decoded: it is broken or cut short.") from error


def _grey(image: Image.Image, name: str) -> Raster:
    transforms, concerns = [], []
    orientation = image.getexif().get(_ORIENTATION, 1)
    white_is_zero = name == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    mode = image.mode
    image.load()
    if orientation in range(2, 9):
        image = ImageOps.exif_transpose(image)
        transforms.append(f"EXIF orientation {orientation}: turned upright")
    if mode in ("P", "PA"):
        image = image.convert("RGBA")
    elif mode in ("CMYK", "YCbCr", "HSV", "LAB"):
        image = image.convert("RGB")
    alpha = None
    if image.mode in ("LA", "La", "RGBA", "RGBa"):
        image = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = np.asarray(image)[..., -1]
    if image.mode in ("RGB", "RGBA"):
        values, bits = luma(np.asarray(image)[..., :3]), 8
        transforms.append(f"colour ({mode}): luma")
        rgb = np.asarray(image)[..., :3]
        if not (rgb == rgb[..., :1]).all():
            concerns.append("the file is in colour: a screenshot or a secondary capture, not a film")
    elif mode in _GREY or image.mode in ("L", "LA"):
        pixels = np.asarray(image)
        pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
        bits = 16 if pixels.dtype.itemsize == 2 else 8
        values = pixels.astype(np.uint16 if bits == 16 else np.uint8) * np.uint8(255 if pixels.dtype == bool else 1)
        # Pillow turns 8 bits over by itself, 16 bits it does not
        if white_is_zero and bits == 16:
            values = 65535 - values
        transforms.append(f"grey, {bits} bits" + (", white is zero: inverted" if white_is_zero else ""))
    else:
        raise InputRefused(f"{name} with samples of kind {mode}: 8 or 16 bits, grey or colour, are accepted.")
    if alpha is not None and (alpha < 255).any():
        values = np.rint(values * (alpha.astype(np.float32) / 255)).astype(values.dtype)
        transforms.append("transparent parts: laid on black")
    return Raster(values, bits, tuple(transforms), tuple(concerns))

"""PNG, JPEG, TIFF and WEBP files to grey values.

Plain grey PNG is decoded by :mod:`.plain_png`, anything else by Pillow, whose errors are translated here.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from ..errors import InputRefused
from .codestream import END, FILLER, lacks_end
from .conformance import check_size
from .orientation import Pose, apply_pose, describe_pose
from .plain_png import decode_plain_png
from .radiograph import LUMA, Kind
from .sixteen_bit import GreyAlpha, colour_samples, grey_alpha_png, grey_alpha_tiff, is_sixteen_bit_colour

__all__ = ["Raster", "luma", "pose_raster", "read_raster", "silenced_stderr"]

_GREY = {"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_BITS, _PLANAR, _IN_PLANES = 258, 284, 2
_ORIENTATION = 0x0112
_LUMA = (0.299, 0.587, 0.114)
_OPAQUE = 65535
_SUBFILE, _OLD_SUBFILE, _REDUCED, _OLD_REDUCED = 254, 255, 1, 2
_MAX_THUMBNAILS = 16
_BIG_ENDIAN_BIGTIFF = b"MM\x00+"
_ON_BLACK = "transparent parts: composited on black"

WEBP_TOLERANCE = 8
"""Levels of 255 by which the channels of a grey image may differ in a WEBP, which has no grey mode."""


@dataclass(frozen=True)
class Raster:
    """Grey values of an image file.

    Attributes:
        values: (rows, columns) uint8 or uint16, by ``bits``; 0 is black, row 0 on top.
        bits: 8 or 16.
        transforms: descriptions of what was done.
        warnings: of the decoding.
    """

    values: np.ndarray
    bits: int
    transforms: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def luma(rgb: np.ndarray) -> np.ndarray:
    """Return the brightness of (rows, columns, 3) uint8 colours, uint8, by ITU-R BT.601: 0.299, 0.587, 0.114."""
    weighted = rgb.astype(np.float64) @ np.array(_LUMA)
    return np.rint(weighted).astype(np.uint8)


def pose_raster(raster: Raster, pose: Pose) -> Raster:
    """Return an image mirrored or turned by the reader."""
    values = np.ascontiguousarray(apply_pose(raster.values, pose))
    return replace(raster, values=values, transforms=(*raster.transforms, *describe_pose(pose)))


def read_raster(data: bytes, kind: Kind) -> Raster:
    """Decode an image file.

    Raises:
        InputRefused: it is truncated or broken, has several pages, samples of another depth, or too
            many pixels.
    """
    if kind == "jpeg" and lacks_end(data):
        return _without_end(data)
    name = kind.upper()
    try:
        with warnings.catch_warnings():
            # the size is checked below, before anything is decoded
            warnings.simplefilter("ignore")
            # libtiff writes to stderr; the others need not wait for the lock
            with silenced_stderr() if kind == "tiff" else contextlib.nullcontext():
                return _read(data, name)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise InputRefused(f"{name} with far too many pixels. Give the radiograph at its own size.") from error
    except UnidentifiedImageError as error:
        if data.startswith(_BIG_ENDIAN_BIGTIFF):
            raise InputRefused("BigTIFF in big endian: not read here. Export it as TIFF or PNG.") from error
        raise InputRefused(f"{name} that cannot be opened: its header is broken or truncated.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise InputRefused(f"{name} that cannot be decoded: it is broken or truncated.") from error


def _without_end(data: bytes) -> Raster:
    """Read a JPEG that has no end marker, if every row of it is there (:data:`.codestream.FILLER`)."""
    plain, filled = (read_raster(data + filler + END, "jpeg") for filler in (b"", FILLER))
    if not np.array_equal(plain.values, filled.values):
        raise InputRefused("JPEG that cannot be decoded: it is broken or truncated.")
    repair = "the file has no end marker: every row was there"
    return replace(plain, transforms=(f"repaired: {repair}", *plain.transforms), warnings=(*plain.warnings, repair))


def _read(data: bytes, name: str) -> Raster:
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=[name])
    except UnidentifiedImageError:
        grey_alpha = grey_alpha_tiff(data) if name == "TIFF" else None
        if grey_alpha is None:
            raise
        with Image.open(io.BytesIO(grey_alpha.data), formats=[name]) as image:
            check_size(image.height, image.width)
            page = _select_page(image, name)
            return _upright(_grey_of_grey_alpha(grey_alpha, name), image, page)
    with image:
        check_size(image.height, image.width)
        page = _select_page(image, name)
        plain = decode_plain_png(data) if name == "PNG" else None
        if plain is not None:
            return _grey_raster(plain, page)
        grey_alpha = grey_alpha_png(data) if name == "PNG" else None
        if grey_alpha is not None:
            return _upright(_grey_of_grey_alpha(grey_alpha, name), image, page)
        if isinstance(image, TiffImageFile) and _has_sixteen_bit_planes(image):
            raise InputRefused(
                "TIFF with 16-bit colour in planes: not read here. Export it as PNG or with chunky samples."
            )
        if is_sixteen_bit_colour(image):
            return _upright(_grey_of_colour(colour_samples(data, name), name), image, page)
        grey = _grey(image, name)
        return replace(grey, transforms=(*page, *grey.transforms))


def _grey_raster(values: np.ndarray, transforms: tuple[str, ...]) -> Raster:
    bits = 8 * values.dtype.itemsize
    return Raster(values, bits, (*transforms, f"grey, {bits} bits"))


def _has_sixteen_bit_planes(image: TiffImageFile) -> bool:
    """Return whether a TIFF has several samples of more than 8 bits, each in a plane of its own.

    Pillow reads them as if they were interleaved (TIFF 6.0, PlanarConfiguration).
    """
    bits = image.tag_v2.get(_BITS, 1)
    bits = bits if isinstance(bits, tuple) else (bits,)
    return image.tag_v2.get(_PLANAR) == _IN_PLANES and len(image.getbands()) > 1 and max(bits) > 8


def _select_page(image: Image.Image, name: str) -> tuple[str, ...]:
    """Seek the page with the image, and return the transform that names it where there are several pages.

    Of a phone's JPEG it is the first: the others are smaller copies or maps of depth or brightness. Of a TIFF it is
    the only one that is no reduced copy (TIFF 6.0, NewSubfileType). Raises InputRefused for several images.
    """
    pages = getattr(image, "n_frames", 1)
    if pages == 1:
        return ()
    if image.format == "MPO":
        return (f"the first of {pages} images in the file",)
    images = list(range(pages))
    if isinstance(image, TiffImageFile) and pages <= _MAX_THUMBNAILS:
        images = [page for page in images if not _is_reduced(image, page)]
    if len(images) != 1:
        raise InputRefused(f"{name} with {pages} pages: one image is accepted, not several.")
    image.seek(images[0])
    check_size(image.height, image.width)
    if images[0] and is_sixteen_bit_colour(image):
        raise InputRefused(f"{name} whose first page is a reduced copy of a 16-bit colour image. Export it again.")
    return (f"page {images[0] + 1} of {pages}: the others are reduced copies",)


def _is_reduced(image: TiffImageFile, page: int) -> bool:
    image.seek(page)
    kind = image.tag_v2.get(_SUBFILE, 0)
    return bool(isinstance(kind, int) and kind & _REDUCED) or image.tag_v2.get(_OLD_SUBFILE) == _OLD_REDUCED


def _grey_of_grey_alpha(file: GreyAlpha, name: str) -> Raster:
    samples = file.samples(name)
    raster = Raster(np.ascontiguousarray(samples[..., 0]), 16, ("grey with alpha, 16 bits",))
    return _without_alpha(raster, samples[..., 1], name)


def _grey_of_colour(samples: np.ndarray, name: str) -> Raster:
    rgb = samples[..., :3]
    grey = np.rint(rgb.astype(np.float32) @ np.array(_LUMA, np.float32)).astype(np.uint16)
    raster = Raster(grey, 16, (f"colour, 16 bits: {LUMA}",), _colour_warning(rgb))
    return _without_alpha(raster, samples[..., 3], name) if samples.shape[2] == 4 else raster


def _without_alpha(raster: Raster, alpha: np.ndarray, name: str) -> Raster:
    """Lay transparent parts of a PNG on black; ignore the alpha of a TIFF, which is often a mask or a leftover."""
    if name == "TIFF":
        return replace(raster, transforms=(*raster.transforms, "alpha: left out"))
    if (alpha == _OPAQUE).all():
        return raster
    values = np.rint(raster.values * (alpha / np.float32(_OPAQUE))).astype(np.uint16)
    return replace(raster, values=values, transforms=(*raster.transforms, _ON_BLACK))


def _upright(raster: Raster, image: Image.Image, page: tuple[str, ...]) -> Raster:
    """Apply the file's EXIF orientation to values that Pillow has not decoded."""
    orientation = image.getexif().get(_ORIENTATION, 1)
    transforms = (*page, *raster.transforms)
    if orientation not in range(2, 9):
        return replace(raster, transforms=transforms)
    # 5 to 8 exchange rows and columns; then left and right, top and bottom
    values = raster.values.T if orientation >= 5 else raster.values
    values = values[:, ::-1] if orientation in (2, 3, 6, 7) else values
    values = values[::-1] if orientation in (3, 4, 7, 8) else values
    return replace(
        raster,
        values=np.ascontiguousarray(values),
        transforms=(f"EXIF orientation {orientation}: turned upright", *transforms),
    )


def _colour_warning(rgb: np.ndarray, tolerance: int = 0) -> tuple[str, ...]:
    """Return a warning where channels differ by more than ``tolerance`` levels."""
    spread = int((rgb.max(axis=2) - rgb.min(axis=2)).max()) if tolerance else int((rgb != rgb[..., :1]).any())
    return (
        () if spread <= tolerance else ("the file is in colour: a screenshot or a secondary capture, not a radiograph",)
    )


def _grey(image: Image.Image, name: str) -> Raster:
    transforms: list[str] = []
    warnings: tuple[str, ...] = ()
    orientation = image.getexif().get(_ORIENTATION, 1)
    white_is_zero = isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    mode = image.mode
    image.load()
    if orientation in range(2, 9):
        image = ImageOps.exif_transpose(image)
        transforms.append(f"EXIF orientation {orientation}: turned upright")
    if mode in ("P", "PA"):
        image = image.convert("RGBA")
    elif mode in ("CMYK", "YCbCr", "HSV", "LAB", "RGBX"):
        image = image.convert("RGB")
    alpha = None
    if image.mode in ("LA", "La", "RGBA", "RGBa"):
        image = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        alpha = np.asarray(image)[..., -1]
    if image.mode in ("RGB", "RGBA"):
        rgb = np.asarray(image)[..., :3]
        values, bits = luma(rgb), 8
        transforms.append(f"colour ({mode}): {LUMA}")
        warnings = _colour_warning(rgb, WEBP_TOLERANCE if name == "WEBP" else 0)
    elif mode in _GREY or image.mode in ("L", "LA"):
        pixels = np.asarray(image)
        pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
        bits = 16 if pixels.dtype.itemsize == 2 else 8
        values = np.where(pixels, 255, 0) if pixels.dtype == bool else pixels
        values = values.astype(np.uint16 if bits == 16 else np.uint8)
        # Pillow inverts 8 bits, not 16
        if white_is_zero and bits == 16:
            values = 65535 - values
        transforms.append(f"grey, {bits} bits" + (", white is zero: inverted" if white_is_zero else ""))
    else:
        raise InputRefused(f"{name} with samples of kind {mode}: 8 or 16 bits, grey or colour, are accepted.")
    if alpha is not None and (alpha < 255).any():
        values = np.rint(values * (alpha.astype(np.float32) / 255)).astype(values.dtype)
        transforms.append(_ON_BLACK)
    return Raster(values, bits, tuple(transforms), warnings)


_stderr = threading.Lock()


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Discard what C libraries write to the stderr of the whole process while a decoder runs.

    A refusal is one line. Only one thread at a time decodes so.
    """
    with _stderr:
        saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)

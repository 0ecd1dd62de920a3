"""PNG, JPEG, TIFF and WEBP to grey values. Pillow decodes; its errors are translated here."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputRefused
from .deep_raster import DeepGrey, deep_samples, grey_alpha_png, grey_alpha_tiff, is_deep
from .limits import check_size
from .orientation import Pose, pose_words, posed
from .radiograph import Kind
from .silence import silence
from .whole import END, FILLER, lacks_end

__all__ = ["Raster", "luma", "posed_raster", "read_raster"]

_GREY = {"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_BITS, _PLANAR, _IN_PLANES = 258, 284, 2
_ORIENTATION = 0x0112
_LUMA = (0.299, 0.587, 0.114)
_OPAQUE = 65535
_BIG_ENDIAN_BIGTIFF = b"MM\x00+"
_LAID_ON_BLACK = "transparent parts: laid on black"

LOSSY_COLOUR = 8
"""By so many levels of 255 the channels of a grey picture may differ in a WEBP, which has no grey of its own."""


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
    weighted = rgb.astype(np.float64) @ np.array(_LUMA)
    return np.rint(weighted).astype(np.uint8)


def posed_raster(raster: Raster, pose: Pose) -> Raster:
    """Return a picture mirrored or turned by the reader."""
    values = np.ascontiguousarray(posed(raster.values, pose))
    return replace(raster, values=values, transforms=(*raster.transforms, *pose_words(pose)))


def read_raster(data: bytes, kind: Kind) -> Raster:
    """Decode a picture.

    Raises:
        InputRefused: it is cut short or broken, has several pages, samples of another depth, or too
            many pixels.
    """
    if kind == "jpeg" and lacks_end(data):
        return _without_end(data)
    name = kind.upper()
    try:
        with warnings.catch_warnings():
            # the size is checked below, before anything is decoded
            warnings.simplefilter("ignore")
            # libtiff writes to stderr by itself; the others need not wait for each other
            with silence() if kind == "tiff" else contextlib.nullcontext():
                return _read(data, name)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise InputRefused(f"{name} with far too many pixels. Give the radiograph at its own size.") from error
    except UnidentifiedImageError as error:
        if data.startswith(_BIG_ENDIAN_BIGTIFF):
            raise InputRefused("BigTIFF in big endian: not read here. Export it as TIFF or PNG.") from error
        raise InputRefused(f"{name} that cannot be opened: its header is broken or cut short.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise InputRefused(f"{name} that cannot be decoded: it is broken or cut short.") from error


def _without_end(data: bytes) -> Raster:
    """Read a JPEG that has no end marker, if every row of it is there (:data:`.whole.FILLER`)."""
    one, two = (read_raster(data + filler + END, "jpeg") for filler in (b"", FILLER))
    if not np.array_equal(one.values, two.values):
        raise InputRefused("JPEG that cannot be decoded: it is broken or cut short.")
    words = "the file has no end marker: every row was there"
    return replace(one, transforms=(f"repaired: {words}", *one.transforms), warnings=(*one.warnings, words))


def _read(data: bytes, name: str) -> Raster:
    try:
        image = Image.open(io.BytesIO(data), formats=[name])
    except UnidentifiedImageError:
        deep = grey_alpha_tiff(data) if name == "TIFF" else None
        if deep is None:
            raise
        with Image.open(io.BytesIO(deep.data), formats=[name]) as image:
            check_size(image.height, image.width)
            page = _page(image, name)
            return _upright(_deep_grey(deep, name), image, page)
    with image:
        check_size(image.height, image.width)
        page = _page(image, name)
        deep = grey_alpha_png(data) if name == "PNG" else None
        if deep is not None:
            return _upright(_deep_grey(deep, name), image, page)
        if name == "TIFF" and _in_deep_planes(image):
            raise InputRefused(
                "TIFF with 16-bit colour in planes: not read here. Export it as PNG or with chunky samples."
            )
        if is_deep(image):
            return _upright(_deep_colour(deep_samples(data, name), name), image, page)
        grey = _grey(image, name)
        return replace(grey, transforms=(*page, *grey.transforms))


def _in_deep_planes(image: Image.Image) -> bool:
    """Return whether a TIFF has several samples of more than 8 bits, each in a plane of its own.

    Pillow takes them as if they lay side by side (TIFF 6.0, PlanarConfiguration).
    """
    bits = image.tag_v2.get(_BITS, 1)
    bits = bits if isinstance(bits, tuple) else (bits,)
    planes = image.tag_v2.get(_PLANAR) == _IN_PLANES
    return planes and len(image.getbands()) > 1 and max(bits) > 8


_SUBFILE, _OLD_SUBFILE, _REDUCED, _OLD_REDUCED = 254, 255, 1, 2
_MOST_THUMBNAILS = 16


def _page(image: Image.Image, name: str) -> tuple[str, ...]:
    """Go to the page that is the picture, and say which it is where there are others.

    Of a phone's JPEG it is the first: what follows is a smaller copy, a map of depth or of brightness. Of a TIFF it is
    the only one that is no reduced copy (TIFF 6.0, NewSubfileType). Raises InputRefused for several pictures.
    """
    pages = getattr(image, "n_frames", 1)
    if pages == 1:
        return ()
    if image.format == "MPO":
        return (f"the first of {pages} pictures in the file",)
    pictures = list(range(pages))
    if name == "TIFF" and pages <= _MOST_THUMBNAILS:
        pictures = [page for page in pictures if not _is_reduced(image, page)]
    if len(pictures) != 1:
        raise InputRefused(f"{name} with {pages} pages: one image is accepted, not several.")
    image.seek(pictures[0])
    check_size(image.height, image.width)
    if pictures[0] and is_deep(image):
        raise InputRefused(f"{name} whose first page is a reduced copy of a 16-bit colour picture. Export it again.")
    return (f"page {pictures[0] + 1} of {pages}: the others are reduced copies",)


def _is_reduced(image: Image.Image, page: int) -> bool:
    image.seek(page)
    kind = image.tag_v2.get(_SUBFILE, 0)
    return bool(isinstance(kind, int) and kind & _REDUCED) or image.tag_v2.get(_OLD_SUBFILE) == _OLD_REDUCED


def _deep_grey(deep: DeepGrey, name: str) -> Raster:
    samples = deep.samples(name)
    raster = Raster(np.ascontiguousarray(samples[..., 0]), 16, ("grey with alpha, 16 bits",))
    return _without_alpha(raster, samples[..., 1], name)


def _deep_colour(samples: np.ndarray, name: str) -> Raster:
    rgb = samples[..., :3]
    grey = np.rint(rgb.astype(np.float32) @ np.array(_LUMA, np.float32)).astype(np.uint16)
    raster = Raster(grey, 16, ("colour, 16 bits: luma",), _colour_concern(rgb))
    return _without_alpha(raster, samples[..., 3], name) if samples.shape[2] == 4 else raster


def _without_alpha(raster: Raster, alpha: np.ndarray, name: str) -> Raster:
    """Lay transparent parts of a PNG on black; of a TIFF leave alpha out, where it is often a mask or a leftover."""
    if name == "TIFF":
        return replace(raster, transforms=(*raster.transforms, "alpha: left out"))
    if (alpha == _OPAQUE).all():
        return raster
    values = np.rint(raster.values * (alpha / np.float32(_OPAQUE))).astype(np.uint16)
    return replace(raster, values=values, transforms=(*raster.transforms, _LAID_ON_BLACK))


def _upright(raster: Raster, image: Image.Image, page: tuple[str, ...]) -> Raster:
    """Turn values that were decoded past Pillow as the file's orientation says."""
    orientation = image.getexif().get(_ORIENTATION, 1)
    transforms = (*page, *raster.transforms)
    if orientation not in range(2, 9):
        return replace(raster, transforms=transforms)
    # 5 to 8 exchange rows and columns; then left and right, above and below
    values = raster.values.T if orientation >= 5 else raster.values
    values = values[:, ::-1] if orientation in (2, 3, 6, 7) else values
    values = values[::-1] if orientation in (3, 4, 7, 8) else values
    return replace(
        raster,
        values=np.ascontiguousarray(values),
        transforms=(f"EXIF orientation {orientation}: turned upright", *transforms),
    )


def _colour_concern(rgb: np.ndarray, tolerance: int = 0) -> tuple[str, ...]:
    """Say that a picture is in colour, where channels differ by more than so many levels."""
    spread = int((rgb.max(axis=2) - rgb.min(axis=2)).max()) if tolerance else int((rgb != rgb[..., :1]).any())
    return (
        () if spread <= tolerance else ("the file is in colour: a screenshot or a secondary capture, not a radiograph",)
    )


def _grey(image: Image.Image, name: str) -> Raster:
    transforms, concerns = [], ()
    orientation = image.getexif().get(_ORIENTATION, 1)
    white_is_zero = name == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
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
        transforms.append(f"colour ({mode}): luma")
        concerns = _colour_concern(rgb, LOSSY_COLOUR if name == "WEBP" else 0)
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
        transforms.append(_LAID_ON_BLACK)
    return Raster(values, bits, tuple(transforms), concerns)

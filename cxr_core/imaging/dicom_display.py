"""Stored pixels of a DICOM data set to the displayed image: grayscale pipeline, square pixels, pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from ..errors import InputRefused
from .conformance import COLOUR, check_size
from .elements import Repairs, decimal_numbers
from .empty_window import replace_empty_window
from .grayscale_pipeline import (
    Levels,
    Notes,
    VoiScale,
    apply_first_voi,
    apply_modality_lut,
    apply_polarity,
    colour_values,
)
from .lookup_tables import file_vois, scaled_by_data
from .orientation import Pose, apply_pose, describe_pose
from .radiograph import LUMA, SQUARED, Pixels
from .raster import luma
from .windowing import Lut, Voi

__all__ = ["PIXEL_SHAPE", "DisplayImage", "display_image", "pixel_aspect_ratio", "square_pixels"]

SAME_ASPECT = 0.01
"""Spacings that differ by less than this proportion are taken as equal: rounding in the header."""

MAX_ASPECT = 5.0
"""A pixel this many times as high as wide, or as wide as high, is a mistake in the header."""

PIXEL_SHAPE = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
"""Attributes that state the shape of a pixel; the first that is there counts."""

_CODES = 1 << 16


@dataclass(frozen=True)
class DisplayImage:
    """A grey image with square pixels, in its pose.

    Attributes:
        pixels: containers with their tables.
        voi: the window that is shown.
        alternatives: the file's windows and tables, the one that is shown first.
        aspect_ratio: height of a pixel over its width in the file.
        stretch: how many times as many pixels the resampled axis has.
        scalable: the first table could be scaled by its own maximum, and is not.
        unit: of the values, where the header states one.
    """

    pixels: Pixels
    voi: Voi
    alternatives: tuple[Voi | Lut, ...]
    aspect_ratio: float
    stretch: float
    scalable: bool
    unit: str


def display_image(
    ds: Dataset, pixels: np.ndarray, filled: int | None, pose: Pose, voi_scale: VoiScale, notes: Notes
) -> DisplayImage:
    """Run the grayscale pipeline, then make the pixels square and apply the pose.

    Every step of the pipeline maps one stored value to one result, so it is computed once for each value that a
    container can hold.

    Args:
        ds: the data set.
        pixels: (rows, columns) containers, or (rows, columns, 3) uint8 colours.
        filled: the container of pixels that the file lacks, or None.
        pose: what the reader does to the image.
        voi_scale: by what a VOI LUT is scaled.
        notes: records each step, repair and warning.
    """
    photometric = str(ds.PhotometricInterpretation)
    colour = photometric in COLOUR
    if photometric == "PALETTE COLOR":
        _complete_palette(ds, notes)
        pixels = apply_color_lut(pixels, ds)
        pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    if pixels.ndim == 3:
        notes.transforms.append(f"colour ({photometric if colour else 'in the frame'}): {LUMA}")
        if colour:
            notes.warnings.append("the file is in colour: a screenshot or a secondary capture, not a radiograph")
        pixels = luma(pixels)
    elif colour:
        raise InputRefused("DICOM whose colours cannot be read. Export it as MONOCHROME2.")
    levels = Levels.of_luma() if colour else Levels.of_containers(ds, pixels.dtype)

    @cache
    def counts() -> np.ndarray:
        # most files name a window and no padding, and need no counts
        return np.bincount(pixels.ravel(), minlength=len(levels.stored))

    vois: tuple[Voi | Lut, ...] = ()
    scalable, unit = False, ""
    if colour:
        voi, values = colour_values(ds, levels, notes)
        display = apply_polarity(ds, values / np.float32(255), levels, notes)
    else:
        levels = levels.with_padding(ds, counts, notes).with_filled(filled)
        values, unit = apply_modality_lut(ds, levels, notes)
        vois, scalable = _order_by_scale(file_vois(ds, values, notes.repairs), voi_scale, notes)
        vois = replace_empty_window(values, vois, levels, counts, pixels, notes)
        voi, brightness = apply_first_voi(values, vois, levels, counts, notes)
        display = apply_polarity(ds, brightness, levels, notes)
    image = Pixels(pixels, values, display, levels.padding)
    aspect_ratio, stretch = pixel_aspect_ratio(ds, notes.repairs), 1.0
    if aspect_ratio != 1:
        rows, columns = pixels.shape[:2]
        check_size(round(rows * max(1.0, aspect_ratio)), round(columns * max(1.0, 1 / aspect_ratio)))
        image = square_pixels(image, levels.stored, aspect_ratio)
        size = " x ".join(str(side) for side in image.containers.shape[::-1])
        notes.transforms.append(f"pixels of {aspect_ratio:.4g} : 1 (height to width) {SQUARED}: {size} pixels")
        stretch = max(image.containers.shape[0] / rows, image.containers.shape[1] / columns)
    notes.transforms.extend(describe_pose(pose))
    image = replace(image, containers=np.ascontiguousarray(apply_pose(image.containers, pose)))
    return DisplayImage(image, voi, vois, aspect_ratio, stretch, scalable, unit)


def _complete_palette(ds: Dataset, notes: Notes) -> None:
    """Fill up a palette with fewer entries than it declares (PS3.3 C.7.6.3.1.5) by repeating its last entry.

    Raises InputRefused where a colour has no entry at all.
    """
    short = False
    for colour in ("Red", "Green", "Blue"):
        descriptor = [int(number) for number in ds.get(f"{colour}PaletteColorLookupTableDescriptor") or ()]
        keyword = f"{colour}PaletteColorLookupTableData"
        entries = ds.get(keyword)
        if len(descriptor) != 3 or not entries:
            raise InputRefused("DICOM whose palette has no entries or no descriptor. Export it as MONOCHROME2.")
        width = 2 if descriptor[2] > 8 else 1
        lacking = (descriptor[0] or 1 << 16) - len(entries) // width
        if isinstance(entries, bytes) and lacking > 0 and len(entries) >= width:
            complete = entries[: len(entries) // width * width]
            padded = complete + complete[-width:] * lacking
            setattr(ds, keyword, padded + b"\0" * (len(padded) % 2))
            short = True
    if short:
        notes.repairs.append("the palette has fewer entries than it declares: values beyond its end use its last entry")


def _order_by_scale(vois: tuple[Voi | Lut, ...], scale: VoiScale, notes: Notes) -> tuple[tuple[Voi | Lut, ...], bool]:
    """Return the VOIs with each table that uses a small part of its declared range in both scalings, and scalable.

    The scaling that comes first is the one shown and read: by the declared range, as the standard has it, unless
    ``scale`` is ``data``.
    """
    ordered: list[Voi | Lut] = []
    scalable = False
    for number, voi in enumerate(vois):
        by_data = scaled_by_data(voi) if isinstance(voi, Lut) else None
        if by_data is None or not isinstance(voi, Lut):
            ordered.append(voi)
            continue
        ordered += [by_data, voi] if scale == "data" else [voi, by_data]
        if number == 0:
            scalable = scale != "data"
            shown = (
                "scaled by the declared maximum, the image uses a small part of the grey scale"
                if scalable
                else "scaled by its own maximum, as requested"
            )
            notes.warnings.append(
                f"the VOI table ({voi.explanation}) declares {voi.top} as its largest entry and reaches {by_data.top}: "
                f"{shown}; the other scaling is offered (voi-scale)"
            )
    return tuple(ordered), scalable


def pixel_aspect_ratio(ds: Dataset, repairs: Repairs) -> float:
    """Return the height of a pixel over its width, 1 where the header does not say.

    A spacing decides, else Pixel Aspect Ratio, which is there for images without one (PS3.3 C.7.6.3.1.7). Of several
    spacings that contradict each other the first is followed, which is a repair.
    """
    ratios = []
    for keyword in PIXEL_SHAPE:
        numbers = decimal_numbers(ds, keyword, repairs) if keyword in ds else []
        if len(numbers) == 2 and all(0 < number < 1e6 for number in numbers):
            ratios.append(numbers[0] / numbers[1])
    if not ratios:
        return 1.0
    first = ratios[0]
    if any(abs(ratio / first - 1) > SAME_ASPECT for ratio in ratios[1:]):
        repairs.append("spacings or an aspect ratio that contradict each other: the first was followed")
    if not 1 / MAX_ASPECT <= first <= MAX_ASPECT:
        repairs.append("a pixel spacing or aspect ratio that cannot be true: left out")
        return 1.0
    return 1.0 if abs(first - 1) <= SAME_ASPECT else first


def square_pixels(pixels: Pixels, stored: np.ndarray, aspect_ratio: float) -> Pixels:
    """Return an image resampled to square pixels: the axis along which they are longer gets more of them.

    Scanners of analogue images and some exporters keep rows and columns at different distances, and a model reads the
    shape of the chest. Interpolation is linear in stored values; beside padding the nearest pixel is taken, so that
    padding is never mixed in.

    Args:
        pixels: (rows, columns) containers with their tables.
        stored: (n,) stored value of each container.
        aspect_ratio: height of a pixel over its width.
    """
    codes, container = _codes(pixels, stored)
    axis, factor = (0, aspect_ratio) if aspect_ratio > 1 else (1, 1 / aspect_ratio)
    old = codes.shape[axis]
    new = max(1, round(old * factor))
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    before = np.floor(position).astype(np.intp)
    after = np.minimum(before + 1, old - 1)
    weight = (position - before).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight
    first, second = codes.take(before, axis), codes.take(after, axis)
    mixed = np.rint(first + weight * (second.astype(np.float32) - first)).astype(np.uint16)
    padding = pixels.padding[container]
    if padding.any():
        nearest = np.where(weight < 0.5, first, second)
        mixed = np.where(padding[first] | padding[second], nearest, mixed)
    return Pixels(mixed, pixels.values[container], pixels.display[container], padding)


def _codes(pixels: Pixels, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, columns) uint16 codes that rise with stored values, and a container for each of 65,536 codes."""
    code_of = (stored - stored.min()).astype(np.int64)
    image = ~pixels.padding
    # padding that is wider than the stored bits shares its stored value with pixels: it gets a code of its own
    if code_of.max() < _CODES - 1 and np.isin(code_of[pixels.padding], code_of[image]).any():
        code_of = np.where(image, code_of, _CODES - 1)
    container = np.zeros(_CODES, dtype=np.int64)
    container[code_of] = np.arange(len(stored))
    return code_of.astype(np.uint16)[pixels.containers], container
